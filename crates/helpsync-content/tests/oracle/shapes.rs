//! Generated HTML.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Words, and texts that look like Markdown or HTML, as they stand in HTML.
const TEXTS: [&str; 64] = [
    "word",
    "Größe",
    "two words",
    "نص عربي",
    "👩\u{200d}💻",
    "日本語。",
    "x1",
    "3rd",
    "#",
    "# one",
    "## two",
    "1.",
    "1. one",
    "2) two",
    "-",
    "- one",
    "+",
    "*",
    "* one",
    "**bold**",
    "*em*",
    "_em_",
    "__b__",
    "snake_case_name",
    "|",
    "a|b",
    "|-|-|",
    "`",
    "`code`",
    "```",
    "~~~",
    "&lt;",
    "&lt;b>",
    "&lt;script>alert(1)&lt;/script>",
    "&lt;!-- c -->",
    "&amp;",
    "&amp;lt;",
    "&amp;nbsp;",
    "&amp;#60;",
    "\\",
    "\\*",
    "C:\\new",
    "[x]",
    "[ ]",
    "[a](b)",
    "![a](b)",
    "[^1]",
    "[^1]: note",
    "[a]: /b",
    "~~gone~~",
    "~",
    "==",
    "===",
    "---",
    "***",
    "___",
    "&gt;",
    "&gt; quote",
    "!",
    "a.",
    "(b)",
    "…",
    "€5",
    ":smile:",
];
/// Code, as it stands in HTML.
const CODES: [&str; 14] = [
    "npm i",
    "a | b",
    "x`y",
    "``",
    "`q`",
    "&lt;b&gt;x&lt;/b&gt;",
    "# no heading",
    "- no item",
    "a\\|b",
    "\\",
    "&amp;lt;",
    "*x*",
    "a  b",
    "[a](b)",
];
const ADDRESSES: [&str; 10] = [
    "/hc/en-us/articles/2",
    "https://other.example/a_b_c?x=1&amp;y=2",
    "#part",
    "page(1)",
    "mailto:help@acme.example",
    "/a b",
    "/a*b*",
    "//cdn.example/x",
    "/q?a=&amp;lt;b",
    "/x|y",
];

fn text() -> BoxedStrategy<String> {
    vec(select(&TEXTS[..]), 1..4).prop_map(|texts| texts.join(" ")).boxed()
}

fn space() -> impl Strategy<Value = &'static str> {
    select(&["", " ", "\n", "&nbsp;", " "][..])
}

fn address() -> impl Strategy<Value = &'static str> {
    select(&ADDRESSES[..])
}

/// Something in a line. Code and pictures stand apart, as code beside code is one.
fn inline() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        8 => text(),
        1 => select(&CODES[..]).prop_map(|code| format!(" x <code>{code}</code> y ")),
        1 => (address(), select(&TEXTS[..])).prop_map(|(address, alt)| {
            format!(r#"<img src="{address}" alt="{alt}" title="{alt}">"#)
        }),
        1 => Just("<br>".to_owned()),
        1 => Just("<wbr>".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let inside = vec((space(), inner), 1..4)
            .prop_map(|parts| parts.into_iter().map(|(space, part)| format!("{space}{part}")).collect::<String>())
            .boxed();
        let tags = select(&["b", "strong", "i", "em", "del", "s", "u", "span", "font", "mark", "bdi"][..]);
        prop_oneof![
            6 => (tags, inside.clone(), space())
                .prop_map(|(tag, inside, space)| format!("<{tag}>{inside}{space}</{tag}>")),
            2 => (address(), inside.clone(), select(&TEXTS[..]), any::<bool>()).prop_map(|(address, inside, title, titled)| {
                let title = if titled { format!(" title=\"{title}\"") } else { String::new() };
                // An empty link is called by its title.
                let inside = if titled { format!("a{inside}") } else { inside };
                format!(r#"<a href="{address}"{title}>{inside}</a>"#)
            }),
            2 => inside,
        ]
    }).boxed()
}

fn line() -> BoxedStrategy<String> {
    vec((inline(), space()), 1..4)
        .prop_map(|parts| parts.into_iter().map(|(part, space)| format!("{part}{space}")).collect::<String>())
        .boxed()
}

/// A cell's inside: lines, paragraphs, lists, code.
fn cell() -> BoxedStrategy<String> {
    prop_oneof![
        6 => line(),
        2 => Just(String::new()),
        1 => vec(line(), 1..3).prop_map(|lines| lines.iter().map(|it| format!("<p>{it}</p>")).collect::<String>()),
        1 => vec(text(), 1..3).prop_map(|lines| {
            format!("<ol>{}</ol>", lines.iter().map(|it| format!("<li>{it}</li>")).collect::<String>())
        }),
        1 => select(&CODES[..]).prop_map(|code| format!("<pre>{code}\n{code}</pre>")),
        1 => text().prop_map(|it| format!("<h3>{it}</h3>")),
        1 => (text(), text()).prop_map(|(a, b)| format!("<table><tr><td>{a}</td><td>{b}</td></tr></table>")),
    ].boxed()
}

fn row(named: bool, all: bool) -> BoxedStrategy<String> {
    let spans = select(&["", "", "", "", " colspan=2", " rowspan=2", " rowspan=3 colspan=2"][..]);
    vec((cell(), spans), 1..5)
        .prop_map(move |cells| {
            let cells = cells.into_iter().enumerate().map(|(at, (cell, spans))| {
                let tag = if all || (named && at == 0) { "th" } else { "td" };
                format!("<{tag}{spans}>{cell}</{tag}>")
            });
            format!("<tr>{}</tr>", cells.collect::<String>())
        })
        .boxed()
}

/// A table with headers somewhere: one without any may only arrange.
fn table() -> BoxedStrategy<String> {
    let rows =
        |named, all, many: std::ops::Range<usize>| vec(row(named, all), many).prop_map(|rows| rows.concat());
    prop_oneof![
        (rows(false, true, 1..3), rows(false, false, 1..4))
            .prop_map(|(head, body)| format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>")),
        (rows(false, true, 1..2), rows(false, false, 1..4))
            .prop_map(|(head, body)| format!("<table>{head}{body}</table>")),
        rows(true, false, 1..5).prop_map(|body| format!("<table>{body}</table>")),
        (rows(false, true, 1..2), rows(true, false, 1..2), rows(false, false, 1..4)).prop_map(
            |(head, foot, body)| {
                format!("<table><thead>{head}</thead><tfoot>{foot}</tfoot><tbody>{body}</tbody></table>")
            }
        ),
        vec(vec(text(), 2..4), 2..4).prop_map(|rows| {
            let row = |row: Vec<String>| row.iter().map(|it| format!("<td>{it}</td>")).collect::<String>();
            format!(
                "<table>{}</table>",
                rows.into_iter().map(|it| format!("<tr>{}</tr>", row(it))).collect::<String>()
            )
        }),
    ]
    .boxed()
}

fn code() -> BoxedStrategy<String> {
    let between = select(&["\n", "<br>", "\n\n", "\n    "][..]);
    (vec((select(&CODES[..]), between), 1..4), 0..4usize)
        .prop_map(|(lines, form)| {
            let code: String = lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect();
            match form {
                0 => format!("<pre>{code}</pre>"),
                1 => format!("<pre><code>{code}</code></pre>"),
                2 => format!("<pre><code class=\"language-sh\"><span>{code}</span>end</code></pre>"),
                _ => format!("<pre>  {code}    <b>x</b></pre>"),
            }
        })
        .boxed()
}

/// An article.
pub(crate) fn article() -> BoxedStrategy<String> {
    let flat = prop_oneof![
        5 => line().prop_map(|it| format!("<p>{it}</p>")),
        2 => line(),
        2 => (1..7usize, line()).prop_map(|(level, it)| format!("<h{level}>{it}</h{level}>")),
        2 => code(),
        3 => table(),
        1 => Just("<hr>".to_owned()),
        1 => (line(), line()).prop_map(|(a, b)| format!("<dl><dt>{a}</dt><dd>{b}</dd></dl>")),
        1 => (line(), line()).prop_map(|(a, b)| format!("<details><summary>{a}</summary>{b}</details>")),
        1 => (address(), line()).prop_map(|(address, it)| {
            format!("<figure><img src=\"{address}\" alt=\"a\"><figcaption>{it}</figcaption></figure>")
        }),
    ];
    let block = flat.prop_recursive(4, 32, 4, |inner| {
        let inside = vec(inner, 1..4).prop_map(|blocks| blocks.concat()).boxed();
        let number = select(&["", "", "", " value=5", " value=0", " value=7"][..]);
        let item = (prop_oneof![line(), inside.clone(), Just(String::new())], number);
        let items = vec(item, 1..4).boxed();
        let start = select(&["", "", " start=3", " start=0"][..]);
        prop_oneof![
            (items.clone(), start).prop_map(|(items, start)| {
                let items =
                    items.iter().map(|(it, number)| format!("<li{number}>{it}</li>")).collect::<String>();
                format!("<ol{start}>{items}</ol>")
            }),
            items.clone().prop_map(|items| {
                format!(
                    "<ul>{}</ul>",
                    items.iter().map(|(it, _)| format!("<li>{it}</li>")).collect::<String>()
                )
            }),
            (line(), text(), line())
                .prop_map(|(a, b, c)| { format!("<ul><li>{a}</li><ul><li>{b}</li></ul><li>{c}</li></ul>") }),
            inside.clone().prop_map(|it| format!("<blockquote>{it}</blockquote>")),
            inside.clone().prop_map(|it| format!("<div>{it}</div>")),
            inside.clone().prop_map(|it| format!("<b><div>{it}</div></b>")),
            (address(), line(), text()).prop_map(|(address, it, head)| {
                format!("<a href=\"{address}\"><h3>{head}</h3><p>{it}</p></a>")
            }),
        ]
    });
    vec(block, 1..5).prop_map(|blocks| blocks.concat()).boxed()
}

/// Tags in any order, with attributes that try to break out.
pub(crate) fn soup() -> BoxedStrategy<String> {
    const TAGS: [&str; 62] = [
        "table",
        "tr",
        "td",
        "th",
        "thead",
        "tfoot",
        "tbody",
        "caption",
        "p",
        "b",
        "i",
        "del",
        "ul",
        "ol",
        "li",
        "pre",
        "code",
        "select",
        "option",
        "svg",
        "math",
        "form",
        "button",
        "h1",
        "h3",
        "blockquote",
        "br",
        "script",
        "style",
        "textarea",
        "title",
        "div",
        "span",
        "hr",
        "sub",
        "sup",
        "q",
        "ruby",
        "rt",
        "dl",
        "dt",
        "dd",
        "details",
        "summary",
        "figure",
        "figcaption",
        "center",
        "font",
        "o:p",
        "kbd",
        "label",
        "object",
        "video",
        "iframe",
        "noscript",
        "template",
        "a",
        "input type=checkbox",
        "xmp",
        "listing",
        "article",
        "u",
    ];
    const HOSTILE: [&str; 18] = [
        "<a href=\"/7) <img src=q onerror=alert(1)> [n](/8\">",
        "<a href='javascript:alert(1)'>",
        "<a href='x' title='\" onclick=x'>",
        "<img alt='](x) <script>alert(1)</script>' src='/a\">'>",
        "<img alt='`<b>`' src='data:image/png,x'>",
        "<iframe src='/v' title='[x](javascript:y) <b>'></iframe>",
        "<td colspan=3>",
        "<td rowspan=2>",
        "<a href='/x'></a>",
        "<pre>\n```\n<script>alert(1)</script>\n</pre>",
        "<pre><code class='language-<b>'>x</code></pre>",
        "<span style='text-decoration: line-through'>",
        "<div style='white-space: pre'>\n    # x\n\t- y\n",
        "<br>&nbsp;&nbsp;&nbsp;&nbsp;",
        "<ol type=i>",
        "<oembed url='javascript:x'></oembed><oembed url='/v'></oembed>",
        "<script type='math/tex'>` <b>x</b> ]( ~~</script>",
        "<a href=/x><img src='data:image/png,x' alt='^1'></a>",
    ];
    let piece = prop_oneof![
        6 => select(&TAGS[..]).prop_map(|tag| format!("<{tag}>")),
        4 => select(&TAGS[..]).prop_map(|tag| format!("</{}>", tag.split(' ').next().unwrap_or(tag))),
        5 => select(&TEXTS[..]).prop_map(str::to_owned),
        2 => select(&HOSTILE[..]).prop_map(str::to_owned),
        2 => space().prop_map(str::to_owned),
        1 => select(&CODES[..]).prop_map(str::to_owned),
    ];
    vec(piece, 0..50).prop_map(|pieces| pieces.concat()).boxed()
}
