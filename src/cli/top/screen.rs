//! The terminal: taken over, drawn on, and given back however it ends.

use super::TopError;
use super::fetch::{Asker, AskerGone, Source};
use super::input;
use super::page::Page;
use super::view::{self, Paint};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How late an answer or a signal is noticed while no key is pressed.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Ages on the page are in seconds.
const DRAW_INTERVAL: Duration = Duration::from_secs(1);

/// Draws until a key or a signal ends it. A panic, on whichever thread, gives the terminal back
/// too, before its text is printed: `try_init` has set a hook for that.
pub fn run(source: Source, page: Page, every: Duration) -> Result<(), TopError> {
    let is_ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // A second one ends it, should the loop below be stuck in the terminal.
        flag::register_conditional_shutdown(signal, 1, is_ended.clone())
            .and_then(|_| flag::register(signal, is_ended.clone()))
            .map_err(TopError::Terminal)?;
    }
    let asker = Asker::start(source).map_err(TopError::Terminal)?;
    let shown = ratatui::try_init()
        .map_err(TopError::Terminal)
        .and_then(|terminal| show(terminal, page, asker, every, &is_ended));
    let restored = ratatui::try_restore().map_err(TopError::Terminal);
    shown.and(restored)
}

fn show(
    mut terminal: DefaultTerminal,
    mut page: Page,
    mut asker: Asker,
    every: Duration,
    is_ended: &AtomicBool,
) -> Result<(), TopError> {
    let paint = Paint::of_environment();
    let (mut asked_at, mut drawn_at) = (page.shown.at, None::<Instant>);
    while !is_ended.load(Ordering::Relaxed) {
        let now = Instant::now();
        let mut is_changed = drawn_at.is_none_or(|at| now.duration_since(at) >= DRAW_INTERVAL);
        let answer = asker.answer().map_err(|AskerGone| TopError::AskerGone)?;
        if let Some(answer) = answer.filter(|_| !page.is_paused) {
            page.take(answer, now);
            is_changed = true;
        }
        if !page.is_paused && now.duration_since(asked_at) >= every {
            asker.ask();
            asked_at = now;
        }
        if is_changed {
            draw(&mut terminal, &mut page, paint, now).map_err(TopError::Terminal)?;
            drawn_at = Some(now);
        }
        if event::poll(LOOK_INTERVAL.min(every)).map_err(TopError::Terminal)? {
            let event = event::read().map_err(TopError::Terminal)?;
            if input::act(&event).is_some_and(|act| !page.act(act)) {
                break;
            }
            drawn_at = None;
        }
    }
    Ok(())
}

fn draw(
    terminal: &mut DefaultTerminal,
    page: &mut Page,
    paint: Paint,
    now: Instant,
) -> io::Result<()> {
    let mut visible = Default::default();
    terminal.draw(|frame| visible = view::draw(page, frame.buffer_mut(), paint, now))?;
    page.see(visible);
    Ok(())
}
