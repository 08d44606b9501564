//! Keys, and what they ask for.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Quit,
    Help,
    Pause,
    /// The next order of the table of who lags.
    Sort,
    /// The next table is the one that is scrolled.
    NextPane,
    /// By so many rows, down where positive.
    Scroll(isize),
    /// By so many times the rows that fit.
    ScrollPage(isize),
    Top,
    Bottom,
    /// The terminal has another size.
    Redraw,
    /// A key that means nothing; it closes the help, as all do.
    Nothing,
}

pub fn act(event: &Event) -> Option<Act> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(of_key(*key)),
        Event::Resize(..) => Some(Act::Redraw),
        _ => None,
    }
}

fn of_key(key: KeyEvent) -> Act {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'd') if with_control => Act::Quit,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Act::Quit,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Act::Help,
        KeyCode::Char('p') => Act::Pause,
        KeyCode::Char('s') => Act::Sort,
        KeyCode::Tab => Act::NextPane,
        KeyCode::Up | KeyCode::Char('k') => Act::Scroll(-1),
        KeyCode::Down | KeyCode::Char('j') => Act::Scroll(1),
        KeyCode::PageUp => Act::ScrollPage(-1),
        KeyCode::PageDown => Act::ScrollPage(1),
        KeyCode::Home => Act::Top,
        KeyCode::End => Act::Bottom,
        _ => Act::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_keys_quit() {
        let key = |code, modifiers| act(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Act::Quit));
        assert_eq!(key(KeyCode::Esc, KeyModifiers::NONE), Some(Act::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Act::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), Some(Act::Nothing));
        assert_eq!(act(&Event::FocusGained), None);
    }
}
