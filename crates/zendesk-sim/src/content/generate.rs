//! Fills a help center with articles whose sizes, ages and flags are spread as in real ones.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Article, Attachment, Audience, Category, HelpCenter, Section, Translation, text};
use crate::clock::Epoch;
use crate::random::Random;

/// How far back the oldest article lies: three years.
const HISTORY_SECONDS: i64 = 3 * 365 * 86_400;
/// Nothing generated is younger than this, so that "changed since" starts with an empty answer.
const YOUNGEST_SECONDS: i64 = 900;
/// Part of the articles that share their `updated_at` second with others (bulk edits).
const BURST_FRACTION: f64 = 0.06;
/// Part of the articles with attachments.
const ATTACHMENT_FRACTION: f64 = 0.08;

/// Sizes of article bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyProfile {
    /// Spread as measured on 2,410 public articles: median 4.4 kB, one in a hundred above 40 kB, a few above 100 kB, some empty.
    Realistic,
    /// 200 to 700 bytes, for help centers of very many articles.
    Small,
    /// About so many bytes each.
    Fixed(usize),
}

/// What to generate. Counts add to what is there already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateOptions {
    /// Articles. Default 100.
    pub articles: usize,
    /// Categories. Default 4, at least 1.
    pub categories: usize,
    /// Sections, spread over the categories; some lie inside another. Default 20, at least 1.
    pub sections: usize,
    /// Part of the translations that are drafts, 0 to 1.
    pub draft_fraction: f64,
    /// Part of the articles in a segment (signed-in users or staff: agents see them).
    pub restricted_fraction: f64,
    /// Part of the articles with translations in other locales.
    pub translated_fraction: f64,
    /// Articles in the largest group that shares one `updated_at` second. Default 40.
    pub largest_burst: usize,
    /// Sizes of bodies.
    pub body_profile: BodyProfile,
    /// Seed; the same gives the same articles.
    pub seed: u64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            articles: 100,
            categories: 4,
            sections: 20,
            draft_fraction: 0.1,
            restricted_fraction: 0.05,
            translated_fraction: 0.3,
            largest_burst: 40,
            body_profile: BodyProfile::Realistic,
            seed: 1,
        }
    }
}

/// Quantiles of body bytes, between which sizes are drawn evenly.
const SIZES: &[(f64, f64)] = &[
    (0.005, 0.0),
    (0.006, 60.0),
    (0.10, 850.0),
    (0.25, 1_700.0),
    (0.50, 4_400.0),
    (0.75, 8_700.0),
    (0.90, 15_000.0),
    (0.99, 44_000.0),
    (0.998, 110_000.0),
    (1.0, 290_000.0),
];

fn body_bytes(random: &mut Random, profile: BodyProfile) -> usize {
    match profile {
        BodyProfile::Small => random.between(200, 700),
        BodyProfile::Fixed(bytes) => bytes,
        BodyProfile::Realistic => {
            let draw = random.fraction();
            let mut low = (0.0, 0.0);
            for &high in SIZES {
                if draw <= high.0 {
                    let part = (draw - low.0) / (high.0 - low.0);
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "0 to 290,000"
                    )]
                    return (low.1 + part * (high.1 - low.1)) as usize;
                }
                low = high;
            }
            0
        }
    }
}

impl HelpCenter {
    /// Adds what the options ask for, dated before `now`.
    pub(crate) fn generate(&mut self, options: &GenerateOptions, now: Epoch) {
        let mut random = Random::named(options.seed, &self.subdomain);
        let oldest = now - HISTORY_SECONDS;
        self.generate_tree(options, &mut random, oldest);
        let sections: Vec<i64> = self.sections.keys().copied().collect();
        let mut burst: Option<(Epoch, usize)> = None;
        let mut largest_done = false;
        for _ in 0..options.articles {
            let span = (HISTORY_SECONDS - YOUNGEST_SECONDS) as usize;
            let created_at = oldest + random.below(span) as i64;
            let edited_at =
                created_at + random.below((now - YOUNGEST_SECONDS - created_at).max(1) as usize) as i64;
            let mut updated_at = match random.below(3) {
                0 => edited_at + random.below((now - YOUNGEST_SECONDS - edited_at).max(1) as usize) as i64,
                1 => edited_at + random.below(60) as i64,
                _ => edited_at,
            };
            if burst.is_none() && random.chance(BURST_FRACTION / 4.0) {
                let size = if largest_done { random.between(2, 7) } else { options.largest_burst };
                largest_done = true;
                burst =
                    Some((now - YOUNGEST_SECONDS - random.below(HISTORY_SECONDS as usize / 10) as i64, size));
            }
            if let Some((second, left)) = burst {
                updated_at = second;
                burst = (left > 1).then_some((second, left - 1));
            }
            let times = Times {
                created_at: created_at.min(updated_at),
                edited_at: edited_at.min(updated_at),
                updated_at,
            };
            let section_id = random.pick(&sections).copied().unwrap_or_default();
            self.generate_article(options, &mut random, section_id, times);
        }
    }

    fn generate_tree(&mut self, options: &GenerateOptions, random: &mut Random, birth: Epoch) {
        let locale = self.default_locale().to_owned();
        let mut categories = Vec::new();
        for index in 0..options.categories.max(1) {
            let id = self.ids.next();
            let name = format!("{} {}", text::phrase(random, &locale, 2), index + 1);
            let description = text::phrase(random, &locale, 6);
            let position = index as i64;
            self.categories.insert(
                id,
                Category { id, name, description, position, created_at: birth, updated_at: birth },
            );
            categories.push(id);
        }
        let mut parents: Vec<(i64, i64)> = Vec::new();
        for index in 0..options.sections.max(1) {
            let id = self.ids.next();
            let nested = if random.chance(0.2) { random.pick(&parents).copied() } else { None };
            let (category_id, parent_section_id) = match nested {
                Some((category_id, parent)) => (category_id, Some(parent)),
                None => (categories[index % categories.len()], None),
            };
            if parent_section_id.is_none() {
                parents.push((category_id, id));
            }
            let section = Section {
                id,
                category_id,
                parent_section_id,
                name: format!("{} {}", text::phrase(random, &locale, 2), index + 1),
                description: random.chance(0.5).then(|| text::phrase(random, &locale, 5)),
                position: index as i64,
                created_at: birth,
                updated_at: birth,
            };
            self.sections.insert(id, section);
        }
    }

    fn generate_article(
        &mut self,
        options: &GenerateOptions,
        random: &mut Random,
        section_id: i64,
        times: Times,
    ) {
        let id = self.ids.next();
        let images = self.generate_attachments(random, id, times.created_at);
        let locale = self.default_locale().to_owned();
        let bytes = body_bytes(random, options.body_profile);
        let mut translations =
            vec![self.generate_translation(options, random, &locale, bytes, &images, times)];
        if random.chance(options.translated_fraction) {
            let others: Vec<String> = self.locales.iter().skip(1).cloned().collect();
            for other in others {
                if translations.len() == 1 || random.chance(0.7) {
                    translations
                        .push(self.generate_translation(options, random, &other, bytes, &images, times));
                }
            }
        }
        let audience = if random.chance(0.5) { Audience::SignedIn } else { Audience::Staff };
        let restricted = random.chance(options.restricted_fraction);
        let labels = ["setup", "billing", "API", "mobile app", "faq", "troubleshooting", "2024"];
        let mut label_names: Vec<String> =
            (0..random.below(4)).filter_map(|_| random.pick(&labels).map(|l| (*l).to_owned())).collect();
        label_names.sort();
        label_names.dedup();
        let tagged = random.chance(0.08);
        let article = Article {
            id,
            section_id,
            author_id: random.pick(&self.author_ids).copied().unwrap_or(-1),
            source_locale: locale,
            translations,
            label_names,
            content_tag_ids: random
                .pick(&self.content_tags)
                .filter(|_| tagged)
                .map(|t| t.id.clone())
                .into_iter()
                .collect(),
            user_segment_id: if restricted { self.segment_for(audience) } else { None },
            promoted: random.chance(0.05),
            position: if random.chance(0.7) { 0 } else { random.below(20) as i64 },
            vote_sum: random.below(60) as i64 - 20,
            vote_count: 40 + random.below(200) as i64,
            created_at: times.created_at,
            updated_at: times.updated_at,
        };
        self.articles.insert(id, article);
    }

    fn generate_translation(
        &mut self,
        options: &GenerateOptions,
        random: &mut Random,
        locale: &str,
        bytes: usize,
        images: &[i64],
        times: Times,
    ) -> Translation {
        Translation {
            id: self.ids.next(),
            locale: locale.to_owned(),
            title: text::title(random, locale),
            body: Arc::from(text::body(random, locale, &self.subdomain, bytes, images)),
            draft: random.chance(options.draft_fraction),
            created_at: times.created_at,
            updated_at: times.updated_at,
            edited_at: times.edited_at,
        }
    }

    /// Returns the ids of the inline images, for the body to show.
    fn generate_attachments(&mut self, random: &mut Random, article_id: i64, created_at: Epoch) -> Vec<i64> {
        if !random.chance(ATTACHMENT_FRACTION) {
            return Vec::new();
        }
        let image = self.ids.next();
        let document = self.ids.next();
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let padding = random.between(200, 4000);
        png.extend(random.bytes(padding));
        let attachment = |id, file_name: &str, content_type, inline, bytes| Attachment {
            id,
            article_id,
            file_name: file_name.to_owned(),
            content_type,
            inline,
            bytes,
            created_at,
        };
        let text = text::phrase(random, "en", 200).into_bytes();
        self.attachments.insert(image, attachment(image, "screenshot.png", "image/png", true, png));
        self.attachments.insert(document, attachment(document, "manual.txt", "text/plain", false, text));
        vec![image]
    }
}

#[derive(Debug, Clone, Copy)]
struct Times {
    created_at: Epoch,
    edited_at: Epoch,
    updated_at: Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Epoch = 1_780_000_000;

    fn generated(options: &GenerateOptions) -> HelpCenter {
        let locales = vec!["en-us".to_owned(), "de".to_owned()];
        let mut center = HelpCenter::new("acme", locales, vec![1, 2], 7, NOW - 1);
        center.generate(options, NOW);
        center
    }

    #[test]
    fn the_same_seed_generates_the_same_help_center() {
        let options = GenerateOptions { articles: 50, ..GenerateOptions::default() };
        assert_eq!(generated(&options).truth(None), generated(&options).truth(None));
        let other = GenerateOptions { seed: 2, ..options.clone() };
        assert_ne!(generated(&options).truth(None), generated(&other).truth(None));
    }

    #[test]
    fn sizes_follow_the_profile_of_real_articles() {
        let center = generated(&GenerateOptions {
            articles: 1500,
            translated_fraction: 0.0,
            ..GenerateOptions::default()
        });
        let mut sizes: Vec<usize> = center.articles.values().map(|a| a.translations[0].body.len()).collect();
        sizes.sort_unstable();
        assert!((3000..6500).contains(&sizes[750]), "median {}", sizes[750]);
        assert_eq!(sizes[0], 0, "some body is empty");
        assert!(*sizes.last().unwrap() > 100_000, "some body is huge");
    }

    #[test]
    fn every_article_lies_in_the_past_in_order_and_in_a_real_section() {
        let center = generated(&GenerateOptions { articles: 400, ..GenerateOptions::default() });
        assert_eq!(center.articles.len(), 400);
        let mut seconds = std::collections::HashMap::new();
        for article in center.articles.values() {
            assert!(article.created_at <= article.translations[0].edited_at);
            assert!(article.translations[0].edited_at <= article.updated_at);
            assert!(article.updated_at < NOW - 600);
            assert!(center.path(article.section_id).len() >= 2);
            *seconds.entry(article.updated_at).or_insert(0) += 1;
        }
        assert!(seconds.values().any(|shared| *shared >= 20), "a bulk edit left its mark");
    }
}
