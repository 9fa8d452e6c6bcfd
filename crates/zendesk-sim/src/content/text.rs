//! Article texts written by the simulator itself: the mixture of markup found in real help centers, and no copied sentence.

use crate::random::Random;

const ENGLISH: &[&str] = &[
    "account",
    "open",
    "the",
    "settings",
    "page",
    "and",
    "choose",
    "your",
    "team",
    "before",
    "you",
    "invite",
    "people",
    "to",
    "a",
    "shared",
    "workspace",
    "where",
    "billing",
    "details",
    "are",
    "kept",
    "safe",
    "for",
    "every",
    "member",
    "when",
    "device",
    "loses",
    "its",
    "connection",
    "wait",
    "until",
    "light",
    "turns",
    "green",
    "then",
    "press",
    "button",
    "again",
    "or",
    "contact",
    "support",
    "with",
    "order",
    "number",
    "in",
    "hand",
    "refunds",
    "arrive",
    "within",
    "five",
    "days",
    "unless",
    "bank",
    "asks",
    "more",
    "time",
    "export",
    "report",
    "as",
    "file",
    "schedule",
    "it",
    "weekly",
    "permissions",
    "decide",
    "who",
    "may",
    "read",
    "change",
    "share",
];
const GERMAN: &[&str] = &[
    "Konto",
    "öffnen",
    "die",
    "Einstellungen",
    "und",
    "wählen",
    "Sie",
    "das",
    "Team",
    "bevor",
    "Gäste",
    "in",
    "einen",
    "gemeinsamen",
    "Bereich",
    "kommen",
    "Rechnung",
    "Zahlung",
    "prüfen",
    "wenn",
    "Gerät",
    "keine",
    "Verbindung",
    "hat",
    "warten",
    "bis",
    "grün",
    "leuchtet",
    "dann",
    "Schaltfläche",
    "drücken",
    "oder",
    "Hilfe",
    "mit",
    "Bestellnummer",
    "fragen",
    "Rückzahlung",
    "dauert",
    "fünf",
    "Tage",
    "größer",
    "Übersicht",
];
const FRENCH: &[&str] = &[
    "ouvrez",
    "la",
    "page",
    "des",
    "réglages",
    "puis",
    "choisissez",
    "votre",
    "équipe",
    "avant",
    "d’inviter",
    "un",
    "client",
    "dans",
    "l’espace",
    "partagé",
    "où",
    "facture",
    "est",
    "gardée",
    "appareil",
    "perd",
    "sa",
    "connexion",
    "attendez",
    "que",
    "voyant",
    "passe",
    "au",
    "vert",
    "numéro",
    "commande",
    "été",
    "reçu",
];
const JAPANESE: &[&str] = &[
    "設定",
    "を開き",
    "チーム",
    "を選択",
    "します",
    "請求",
    "情報は",
    "安全に",
    "保管",
    "されます",
    "接続",
    "が切れた",
    "場合は",
    "お待ち",
    "ください",
];

fn words(locale: &str) -> &'static [&'static str] {
    match locale.split('-').next().unwrap_or_default() {
        "de" => GERMAN,
        "fr" => FRENCH,
        "ja" => JAPANESE,
        _ => ENGLISH,
    }
}

/// So many words of the locale, the first with a capital.
pub(super) fn phrase(random: &mut Random, locale: &str, count: usize) -> String {
    let words = words(locale);
    let separator = if words == JAPANESE { "" } else { " " };
    let drawn: Vec<&str> = (0..count).filter_map(|_| random.pick(words).copied()).collect();
    let mut text = drawn.join(separator);
    if let Some(first) = text.chars().next() {
        let capital: String = first.to_uppercase().collect();
        text.replace_range(..first.len_utf8(), &capital);
    }
    text
}

/// A title of 5 to some 110 characters; rarely with characters that trip careless code.
pub(super) fn title(random: &mut Random, locale: &str) -> String {
    let words = random.between(3, 9);
    let mut title = phrase(random, locale, words);
    match random.below(40) {
        0 => title.push_str(" & <more>"),
        1 => title.push_str(" 🚀"),
        2 => title.insert(0, '\u{a0}'),
        3 => title.push_str(" \"quoted\" / slash?"),
        _ => {}
    }
    title
}

/// HTML of about `target` bytes (0 gives an empty body). `images` are attachment ids to show.
pub(super) fn body(
    random: &mut Random,
    locale: &str,
    subdomain: &str,
    target: usize,
    images: &[i64],
) -> String {
    let mut html = String::with_capacity(target + 600);
    if target == 0 {
        return html;
    }
    for id in images {
        html.push_str(&format!(
            "<p class=\"wysiwyg-text-align-center\"><img src=\"https://{subdomain}.zendesk.com/hc/article_attachments/{id}\" alt=\"{}\" width=\"640\"></p>\n",
            phrase(random, locale, 3)
        ));
    }
    while html.len() < target {
        block(random, locale, subdomain, &mut html);
    }
    html
}

fn sentence(random: &mut Random, locale: &str) -> String {
    let count = random.between(6, 22);
    let text = phrase(random, locale, count);
    let inner = match random.below(12) {
        0 => format!("<strong>{text}</strong>"),
        1 => format!(
            "{text} <a href=\"https://www.example.com/{}\" target=\"_blank\" rel=\"noopener\">{}</a>",
            random.below(999),
            phrase(random, locale, 2)
        ),
        2 => format!("{text}&nbsp;<em>{}</em>", phrase(random, locale, 3)),
        3 => format!("{text}\u{a0}<code>--flag={}</code>", random.below(64)),
        4 => format!("<span style=\"font-weight: 400;\">{text}</span>"),
        5 => format!("{text} (<a href=\"mailto:help@example.com\">help@example.com</a>)"),
        _ => text,
    };
    format!("{inner}. ")
}

fn block(random: &mut Random, locale: &str, subdomain: &str, html: &mut String) {
    match random.below(40) {
        0..=5 => {
            let level = random.between(2, 4);
            let anchor = random.ulid();
            let words = random.between(2, 6);
            html.push_str(&format!("<h{level} id=\"h_{anchor}\">{}</h{level}>\n", phrase(random, locale, words)));
        }
        6..=11 => list(random, locale, html),
        12 | 13 => table(random, locale, html),
        14 => html.push_str(&format!(
            "<pre><code class=\"language-json\">{{\n  \"limit\": {},\n  \"next\": \"&lt;cursor&gt;\"\n}}</code></pre>\n",
            random.below(500)
        )),
        15 => html.push_str(&format!(
            "<p><img src=\"https://{subdomain}.zendesk.com/hc/article_attachments/{}/step.png\" alt=\"\"></p>\n",
            400_000_000_000u64 + random.next() % 1_000_000
        )),
        16 => html.push_str(&format!(
            "<iframe width=\"560\" height=\"315\" src=\"https://player.example.com/embed/{}\" frameborder=\"0\"></iframe>\n",
            random.below(99_999)
        )),
        17 if random.chance(0.3) => html.push_str("<script>window.dataLayer = window.dataLayer || []; if (1 < 2) { dataLayer.push({}); }</script>\n"),
        18 => html.push_str("<p>&nbsp;</p>\n<p> </p>\n"),
        19 => html.push_str(&format!("<blockquote><p>{}</p></blockquote>\n<hr>\n", sentence(random, locale))),
        20 if random.chance(0.4) => html.push_str(&format!("<p>✅ {}\u{200b}👩‍💻</p>\n", sentence(random, locale))),
        21 => html.push_str("<p><a name=\"anchor\"></a></p>\n"),
        _ => {
            html.push_str("<p>");
            for _ in 0..random.between(1, 4) {
                html.push_str(&sentence(random, locale));
            }
            html.push_str("</p>\n");
        }
    }
}

fn list(random: &mut Random, locale: &str, html: &mut String) {
    let tag = if random.chance(0.6) { "ul" } else { "ol" };
    html.push_str(&format!("<{tag}>\n"));
    for _ in 0..random.between(2, 6) {
        html.push_str(&format!("<li>{}", sentence(random, locale)));
        if random.chance(0.1) {
            html.push_str(&format!("<ul><li>{}</li></ul>", sentence(random, locale)));
        }
        html.push_str("</li>\n");
    }
    html.push_str(&format!("</{tag}>\n"));
}

fn table(random: &mut Random, locale: &str, html: &mut String) {
    let columns = random.between(2, 4);
    html.push_str("<table style=\"width: 100%;\" border=\"1\"><thead><tr>");
    for _ in 0..columns {
        html.push_str(&format!("<th scope=\"col\">{}</th>", phrase(random, locale, 2)));
    }
    html.push_str("</tr></thead><tbody>\n");
    for _ in 0..random.between(1, 5) {
        html.push_str("<tr>");
        for _ in 0..columns {
            let words = random.between(1, 5);
            html.push_str(&format!("<td>{}</td>", phrase(random, locale, words)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reaches_its_size_and_is_the_same_for_the_same_seed() {
        let draw = || body(&mut Random::new(5), "en-us", "acme", 5000, &[42]);
        assert_eq!(draw(), draw());
        assert!((5000..7500).contains(&draw().len()), "{}", draw().len());
        assert!(draw().contains("acme.zendesk.com/hc/article_attachments/42"));
        assert_eq!(body(&mut Random::new(5), "en-us", "acme", 0, &[]), "");
    }
}
