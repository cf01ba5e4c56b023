//! The frame of every page: its policy, its style, and the common parts of all pages.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::report::markup::put_markup_text;
use crate::text::write::{put, put_display};

/// The style of all pages.
pub(in crate::report) const STYLE: &str = include_str!("page.css");

/// Appends everything up to the heading, which is `title`. The policy of the page forbids every
/// request; its style and its script, if it has one, are known by their hashes.
pub(in crate::report) fn put_head(
    title: &str,
    styles: &[&str],
    script: Option<&str>,
    out: &mut Vec<u8>,
) {
    let hash = |text: &str| BASE64.encode(&Sha256::digest(text));
    let style = styles.concat();
    let scripts = match script {
        Some(script) => format!("script-src 'sha256-{}'; ", hash(script)),
        None => String::new(),
    };
    put(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    );
    put_display(
        out,
        format_args!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             {scripts}style-src 'sha256-{}'; base-uri 'none'; \
             form-action 'none'; require-trusted-types-for 'script'\">\n",
            hash(&style),
        ),
    );
    put(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
    );
    put_markup_text(out, title);
    put(out, "</title>\n<style>");
    put(out, &style);
    put(out, "</style>\n</head>\n<body>\n<main>\n<h1>");
    put_markup_text(out, title);
    put(out, "</h1>\n");
}

/// Appends the last line of a page that `program` wrote.
pub(in crate::report) fn put_foot(program: &str, out: &mut Vec<u8>) {
    put_display(
        out,
        format_args!(
            "<footer>written by {program} {}; nothing in this page comes from a network or goes \
             to one</footer>\n</main>\n",
            env!("CARGO_PKG_VERSION")
        ),
    );
}

/// A number with its name, in a box.
#[derive(Debug)]
pub(in crate::report) struct Card<'a> {
    /// Its name.
    pub(in crate::report) name: &'a str,
    /// Its value.
    pub(in crate::report) value: String,
    /// Its gravity, as a class; empty where it has none.
    pub(in crate::report) level: &'a str,
    /// Its link: the id of an element, or nothing.
    pub(in crate::report) link: &'a str,
}

impl<'a> Card<'a> {
    /// A card that is neither grave nor leads anywhere.
    pub(in crate::report) const fn plain(name: &'a str, value: String) -> Self {
        Self {
            name,
            value,
            level: "",
            link: "",
        }
    }
}

/// Appends cards.
pub(in crate::report) fn put_cards(cards: &[Card<'_>], out: &mut Vec<u8>) {
    put(out, "<dl class=\"cards\">");
    for card in cards {
        put_display(out, format_args!("<div class=\"card {}\"><dt>", card.level));
        put_markup_text(out, card.name);
        put(out, "</dt><dd>");
        if card.link.is_empty() {
            put_markup_text(out, &card.value);
        } else {
            put_display(out, format_args!("<a href=\"#{}\">", card.link));
            put_markup_text(out, &card.value);
            put(out, "</a>");
        }
        put(out, "</dd></div>");
    }
    put(out, "</dl>\n");
}

/// The key to the colours of a chart.
#[derive(Clone, Copy)]
pub(in crate::report) enum Key {
    /// Nothing: there is one colour.
    None,
    /// The senders.
    Directions,
}

/// Appends a chart with its title.
pub(in crate::report) fn put_figure(
    title: &str,
    more: &str,
    key: Key,
    out: &mut Vec<u8>,
    put_chart: impl FnOnce(&mut Vec<u8>),
) {
    put(out, "<figure><figcaption>");
    put_markup_text(out, title);
    match key {
        Key::None => {}
        Key::Directions => put(
            out,
            "<span class=\"key\">client</span><span class=\"key s2c\">server</span>",
        ),
    }
    put(out, "<small>");
    put_markup_text(out, more);
    put(out, "</small></figcaption>");
    put_chart(out);
    put(out, "</figure>\n");
}

/// Appends the head of a table: titles and their classes.
pub(in crate::report) fn put_titles<const COLUMNS: usize>(
    titles: [(&str, &str); COLUMNS],
    out: &mut Vec<u8>,
) {
    put(out, "<thead><tr>");
    for (title, class) in titles {
        put_display(out, format_args!("<th scope=\"col\" class=\"{class}\">"));
        put_markup_text(out, title);
        put(out, "</th>");
    }
    put(out, "</tr></thead>\n");
}

/// Appends a cell.
pub(in crate::report) fn put_cell(class: &str, text: &str, out: &mut Vec<u8>) {
    put_display(out, format_args!("<td class=\"{class}\">"));
    put_markup_text(out, text);
    put(out, "</td>");
}

/// Appends the cell of a level.
pub(in crate::report) fn put_level(level: &str, out: &mut Vec<u8>) {
    put_display(
        out,
        format_args!("<td><span class=\"level {level}\">{level}</span></td>"),
    );
}

/// Appends a paragraph.
pub(in crate::report) fn put_paragraph(class: &str, text: &str, out: &mut Vec<u8>) {
    put_display(out, format_args!("<p class=\"{class}\">"));
    put_markup_text(out, text);
    put(out, "</p>\n");
}
