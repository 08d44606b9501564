//! Colours and weights. Each only stresses what a word or a mark says as well.

use ratatui::style::{Color, Modifier, Style};

#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub has_colours: bool,
    /// Keys are pressed, so what they are about to move is marked.
    pub has_keys: bool,
}

/// How near to its limit something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Calm,
    /// 70 %: where the alerts begin.
    High,
    /// 85 %.
    Higher,
    /// 95 %.
    Full,
}

impl Level {
    pub fn of_percent(percent: u64) -> Level {
        match percent {
            0..70 => Level::Calm,
            70..85 => Level::High,
            85..95 => Level::Higher,
            _ => Level::Full,
        }
    }

    /// What says the same without colour.
    pub fn mark(self) -> &'static str {
        match self {
            Level::Calm => "",
            Level::High => "!",
            Level::Higher => "!!",
            Level::Full => "!!!",
        }
    }
}

impl Paint {
    /// Without colours where `NO_COLOR` is set to something, see <https://no-color.org>.
    pub fn of_environment() -> Paint {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Paint { has_colours: !no_colour, has_keys: true }
    }

    pub fn level(self, level: Level) -> Style {
        match level {
            Level::Calm => self.coloured(Color::Green),
            Level::High => self.coloured(Color::Yellow),
            Level::Higher => self.coloured(Color::LightRed),
            Level::Full => self.alarm(),
        }
    }

    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Names of columns.
    pub fn names(self) -> Style {
        self.coloured(Color::Cyan)
    }

    pub fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Numbers that were true once.
    pub fn old(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Takes [`Paint::old`] back.
    pub fn fresh(self) -> Style {
        Style::new().remove_modifier(Modifier::DIM)
    }

    fn coloured(self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }
}
