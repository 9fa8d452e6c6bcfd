//! A run over time: its shards side by side, each from its start to its end, with what it waited for.

use maud::{Markup, html};

use crate::show::{duration, millis, seconds};
use crate::text as t;
use helpsync_api::answers::{RunView, TimedShardView, WaitView};

/// Shards drawn; a run of more says so.
const ROWS_MAX: usize = 60;
const WIDTH: i64 = 900;
const NAMES: i64 = 270;
const ROW: i64 = 22;
const BAR: i64 = 12;

/// The times between which everything is drawn.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: i64,
    to: i64,
}

impl Scale {
    fn of(run: &RunView, shards: &[TimedShardView], now: i64) -> Self {
        let from = millis(&run.created_at).unwrap_or(now);
        let ends = shards.iter().filter_map(|shard| millis(&shard.updated_at));
        let end = run.finished_at.as_deref().and_then(millis).unwrap_or(now);
        Self { from, to: ends.fold(end, i64::max).max(from + 1) }
    }

    fn x(self, at: i64) -> i64 {
        NAMES + (at.clamp(self.from, self.to) - self.from) * (WIDTH - NAMES - 10) / (self.to - self.from)
    }

    /// Where a bar begins and how long it is: at least so that it is seen.
    fn bar(self, from: i64, to: i64) -> (i64, i64) {
        let x = self.x(from);
        (x, (self.x(to) - x).max(2))
    }
}

/// The drawing, and the same as a list for whoever does not see it.
pub(crate) fn timeline(run: &RunView, shards: &[TimedShardView], now: i64) -> Markup {
    let scale = Scale::of(run, shards, now);
    let shown = &shards[..shards.len().min(ROWS_MAX)];
    let height = i64::try_from(shown.len()).unwrap_or(0) * ROW + 24;
    let lasted = duration((scale.to - scale.from) / 1_000);
    html! {
        div class="scroll" role="region" aria-label=(t::TIMELINE) tabindex="0" {
            svg class="timeline" viewBox=(format!("0 0 {WIDTH} {height}")) role="img"
                aria-label=(t::timeline(shards.len(), &lasted)) {
                @for (at, shard) in shown.iter().enumerate() {
                    (row(scale, shard, i64::try_from(at).unwrap_or(0) * ROW, now))
                }
                line class="axis" x1=(NAMES) x2=(WIDTH - 10) y1=(height - 18) y2=(height - 18) {}
                text x=(NAMES) y=(height - 4) { "0" }
                text x=(WIDTH - 10) y=(height - 4) text-anchor="end" { (lasted) }
            }
        }
        @if shards.len() > shown.len() { p class="soft" { (t::more_shards(shards.len() - shown.len())) } }
        p class="legend" {
            span class="entry" { span class="key waits" {} (t::LEGEND_WAITED) }
            span class="entry" { span class="key works" {} (t::LEGEND_WORKED) }
            span class="entry" { span class="key budget" {} (t::LEGEND_BUDGET) }
            span class="entry" { span class="key put-off" {} (t::LEGEND_PUT_OFF) }
            @if shown.iter().any(|shard| shard.state == "running") {
                span class="entry" { span class="key now" {} (t::LEGEND_NOW) }
            }
            span class="entry" { span class="key failed" {} (t::LEGEND_FAILED) }
        }
        (reasons(shown))
    }
}

fn row(scale: Scale, shard: &TimedShardView, y: i64, now: i64) -> Markup {
    let created = millis(&shard.created_at).unwrap_or(scale.from);
    let ended = !matches!(shard.state.as_str(), "pending" | "released" | "running");
    let end = if ended { millis(&shard.updated_at).unwrap_or(now) } else { now };
    let started = shard.started_at.as_deref().and_then(millis);
    let (waits_x, waits) = scale.bar(created, started.unwrap_or(end));
    let class = match shard.state.as_str() {
        "failed" => "failed",
        "cancelled" => "cancelled",
        _ => "works",
    };
    html! {
        g {
            title { (t::shard_is(&t::shard(&shard.kind, &shard.key), &t::state(&shard.state))) }
            text x="0" y=(y + BAR) { (name(shard)) }
            rect class="waits" x=(waits_x) y=(y + 2) width=(waits) height=(BAR) rx="2" {}
            @if let Some(started) = started {
                // Of what is under way it is not told yet how much of the time since it last was heard of went by waiting.
                @let known = if ended { end } else { heard_of(shard, started).min(end) };
                @if known < end {
                    @let (x, width) = scale.bar(known, end);
                    rect class="now" x=(x) y=(y + 2) width=(width) height=(BAR) rx="2" {}
                }
                @let (x, width) = scale.bar(started, known);
                rect class=(class) x=(x) y=(y + 2) width=(width) height=(BAR) rx="2" {}
                @for wait in &shard.waits { (waited(scale, wait, y + 2, end)) }
            }
        }
    }
}

/// When a shard under way last said what it did.
fn heard_of(shard: &TimedShardView, started: i64) -> i64 {
    let spans = shard.waits.iter().filter_map(|wait| millis(&wait.until));
    spans.chain(millis(&shard.updated_at)).fold(started, i64::max)
}

/// A wait within a shard's bar: over all of its height where the shard was put off, else over as much of it as was spent
/// waiting.
fn waited(scale: Scale, wait: &WaitView, top: i64, end: i64) -> Markup {
    let at = millis(&wait.at).unwrap_or(end);
    let until = millis(&wait.until).unwrap_or(end);
    let (x, width) = scale.bar(at, until.min(end));
    let (class, height) = match wait.waited_ms {
        None => ("put-off", BAR),
        Some(ms) => ("budget", (BAR * ms / (until - at).max(1)).clamp(2, BAR)),
    };
    html! {
        rect class=(class) x=(x) y=(top + BAR - height) width=(width) height=(height) { title { (in_words(wait)) } }
    }
}

/// How long was waited, and what for.
fn in_words(wait: &WaitView) -> String {
    let between = millis(&wait.until).unwrap_or(0) - millis(&wait.at).unwrap_or(0);
    let lasted = duration(between / 1_000);
    let lasted = match wait.waited_ms {
        None => lasted,
        Some(ms) => t::waited_of(&seconds(ms), &seconds(between)),
    };
    format!("{lasted}, {}", wait.why)
}

/// A name that fits.
fn name(shard: &TimedShardView) -> String {
    const CHARS: usize = 41;
    let name = t::shard(&shard.kind, &shard.key);
    if name.chars().count() <= CHARS {
        return name;
    }
    name.chars().take(CHARS - 1).chain(['…']).collect()
}

/// Why shards were put off or failed, in words.
fn reasons(shards: &[TimedShardView]) -> Markup {
    let told: Vec<&TimedShardView> =
        shards.iter().filter(|shard| !shard.waits.is_empty() || shard.error.is_some()).collect();
    html! {
        @if !told.is_empty() {
            details {
                summary { (t::WAITS_IN_WORDS) }
                ul {
                    @for shard in told {
                        @for wait in &shard.waits {
                            li { (t::shard(&shard.kind, &shard.key)) ": " (in_words(wait)) }
                        }
                        @if let Some(error) = &shard.error { li { (t::shard(&shard.kind, &shard.key)) ": " (error) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_between_the_names_and_the_edge_and_can_be_seen() {
        let scale = Scale { from: 1_000, to: 11_000 };
        assert_eq!(scale.bar(1_000, 11_000), (NAMES, WIDTH - NAMES - 10));
        assert_eq!(scale.bar(6_000, 6_000).1, 2);
        let (x, width) = scale.bar(-5, 99_000);
        assert!(x >= NAMES && x + width <= WIDTH);
    }
}
