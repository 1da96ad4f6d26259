//! The app's page for browsers: built into the program in a release, read from the disk while it is developed.

use node::Page;
use rust_embed::RustEmbed;

/// What `npm run build` left; nothing where it was not run.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Files;

/// Finds a file of the page.
pub(crate) fn find(path: &str) -> Option<Page> {
    let file = Files::get(path)?;
    Some(Page { mime: file.metadata.mimetype().to_owned(), bytes: file.data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_page_is_served() {
        for path in ["../package.json", "/etc/passwd", "assets/../../package.json", "", "no-such-file.js"] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
