//! The pages and the browser client, as they stand in the binary.
//!
//! A table of what is served at which path. Must not know who serves it: no HTTP, no sockets. The
//! admin port gives these bytes away as they are, under a policy that allows nothing inline.

/// A file of the pages.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub path: &'static str,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const DRAWING: &str = "image/svg+xml";

macro_rules! page {
    ($path:literal, $content_type:expr, $file:literal) => {
        Page { path: $path, content_type: $content_type, bytes: include_bytes!($file) }
    };
}

/// Everything that a browser may ask for, by its exact path.
pub const PAGES: &[Page] = &[
    page!("/", HTML, "index.html"),
    page!("/status", HTML, "status.html"),
    page!("/tapecast.js", SCRIPT, "tapecast.js"),
    page!("/assets/base.css", STYLE, "assets/base.css"),
    page!("/assets/ticker.css", STYLE, "assets/ticker.css"),
    page!("/assets/status.css", STYLE, "assets/status.css"),
    page!("/assets/icon.svg", DRAWING, "assets/icon.svg"),
    page!("/assets/theme.js", SCRIPT, "assets/theme.js"),
    page!("/assets/server.js", SCRIPT, "assets/server.js"),
    page!("/assets/numbers.js", SCRIPT, "assets/numbers.js"),
    page!("/assets/elements.js", SCRIPT, "assets/elements.js"),
    page!("/assets/ticker.js", SCRIPT, "assets/ticker.js"),
    page!("/assets/board.js", SCRIPT, "assets/board.js"),
    page!("/assets/row.js", SCRIPT, "assets/row.js"),
    page!("/assets/spark.js", SCRIPT, "assets/spark.js"),
    page!("/assets/tape.js", SCRIPT, "assets/tape.js"),
    page!("/assets/search.js", SCRIPT, "assets/search.js"),
    page!("/assets/choice.js", SCRIPT, "assets/choice.js"),
    page!("/assets/connection.js", SCRIPT, "assets/connection.js"),
    page!("/assets/status.js", SCRIPT, "assets/status.js"),
    page!("/assets/chart.js", SCRIPT, "assets/chart.js"),
    page!("/assets/shards.js", SCRIPT, "assets/shards.js"),
];

#[cfg(test)]
mod tests {
    //! Method: the texts are read for what they name. Whether they work, a browser says in
    //! `tests/web`.

    use super::*;

    fn text(page: &Page) -> &'static str {
        std::str::from_utf8(page.bytes).expect("a text")
    }

    /// What a page names, in quotes, with this beginning.
    fn named<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
        let quoted = text.split(['"', '\'']);
        quoted.filter(move |part| part.starts_with(start) && !part.contains([' ', '$']))
    }

    #[test]
    fn everything_that_a_page_names_is_served() {
        let is_served = |path: &str| PAGES.iter().any(|page| page.path == path);
        for page in PAGES {
            for path in named(text(page), "/assets/").chain(named(text(page), "/tapecast.js")) {
                assert!(is_served(path), "{} names {path}", page.path);
            }
            for file in named(text(page), "./") {
                let path = file.replacen("./", "/assets/", 1);
                assert!(is_served(&path), "{} imports {file}", page.path);
            }
        }
    }

    #[test]
    fn every_asset_on_disk_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/assets");
        for entry in std::fs::read_dir(folder).expect("the folder of the assets") {
            let name = entry.expect("readable").file_name();
            let path = format!("/assets/{}", name.to_str().expect("ASCII"));
            assert!(PAGES.iter().any(|page| page.path == path), "{path} is not in the table");
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for page in PAGES {
            let text = text(page);
            let foreign = ["http://", "https://"].iter().flat_map(|s| text.match_indices(s));
            for (at, _) in foreign {
                let is_name = text[at..].starts_with("http://www.w3.org/2000/svg");
                assert!(is_name, "{}: {}", page.path, &text[at..][..40]);
            }
            if page.content_type == HTML {
                assert!(!text.contains(" style=") && !text.contains("<style"), "{}", page.path);
                let scripts = text.matches("<script").count();
                let empty = text.matches("></script>").count();
                assert_eq!(scripts, empty, "{}: a script in the page", page.path);
            }
        }
    }
}
