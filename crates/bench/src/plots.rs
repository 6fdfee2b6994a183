//! The plots of the report, as SVG.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{number, spread};
use crate::plan::Scenario;
use crate::results::Results;
use crate::scenario::as_f64;
use crate::server::Server;
use crate::stats::Spread;

const SIZE: (u32, u32) = (760, 340);
const FONT: &str = "sans-serif";

/// A plot that was drawn.
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) caption: String,
}

/// The same colour for a server in every plot; distinguishable without red and green.
fn colour(server: Server) -> RGBColor {
    match server {
        Server::HorseTrust => RGBColor(0, 114, 178),
        Server::NodeMemory => RGBColor(230, 159, 0),
        Server::NodeDurable => RGBColor(148, 92, 24),
        Server::Socketioxide => RGBColor(130, 130, 130),
    }
}

/// Draws every plot for which there are figures into `folder`.
pub(crate) fn draw(results: &Results, folder: &Path) -> Result<Vec<Plot>> {
    fs::create_dir_all(folder)?;
    let sizes = &results.sizes;
    let connections = number(as_f64(sizes.connections), 0);
    let bars = [
        (
            "cpu-per-message.svg",
            Scenario::ClosedLoop,
            "cpu_per_message_us",
            format!("CPU per message, {} pairs in a closed loop (µs)", sizes.pairs),
        ),
        (
            "memory-per-connection.svg",
            Scenario::Idle,
            "memory_per_connection_kb",
            format!("Memory per idle connection, {connections} connections (kB)"),
        ),
        (
            "connect-at-once.svg",
            Scenario::Avalanche,
            "all_connected_s",
            format!("{connections} clients connect at once: all connected after (s)"),
        ),
    ];
    let mut plots = Vec::new();
    for (file, scenario, figure, caption) in bars {
        let bars: Vec<_> = Server::ALL
            .into_iter()
            .filter_map(|server| Some((server, spread(results, scenario, server, figure)?)))
            .collect();
        if !bars.is_empty() {
            draw_bars(&folder.join(file), &caption, &bars).map_err(drawing_failed)?;
            plots.push(Plot { file, caption });
        }
    }
    let curves: Vec<_> = Server::ALL
        .into_iter()
        .map(|server| (server, median_curve(results, server)))
        .filter(|(_, curve)| !curve.is_empty())
        .collect();
    if !curves.is_empty() {
        let file = "latency.svg";
        let caption =
            format!("From send to acknowledgement at {:.0} messages/s (ms)", sizes.messages_per_second);
        draw_curves(&folder.join(file), &caption, &curves).map_err(drawing_failed)?;
        plots.push(Plot { file, caption });
    }
    Ok(plots)
}

/// The library's errors hold the canvas, which can't leave this thread.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn drawing_failed(error: Box<dyn std::error::Error>) -> anyhow::Error {
    anyhow!("{error}")
}

/// Horizontal bars from zero with the range of the rounds; the median in words at the end.
fn draw_bars(
    path: &Path,
    caption: &str,
    bars: &[(Server, Spread)],
) -> Result<(), Box<dyn std::error::Error>> {
    let maximum = bars.iter().map(|(_, spread)| spread.maximum).fold(f64::EPSILON, f64::max);
    let rows = i32::try_from(bars.len())?;
    let size = (SIZE.0, 80 + 44 * u32::try_from(bars.len())?);
    let canvas = SVGBackend::new(path, size).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(caption, (FONT, 17))
        .margin(12)
        .margin_right(24)
        .y_label_area_size(120)
        .x_label_area_size(24)
        .build_cartesian_2d(0.0..maximum * 1.15, (0..rows - 1).into_segmented())?;
    let name = |row: &SegmentValue<i32>| match row {
        SegmentValue::CenterOf(row) => {
            let from_above = usize::try_from(rows - 1 - row).unwrap_or_default();
            bars.get(from_above).map_or_else(String::new, |(server, _)| server.title().to_owned())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|value| format!("{value}"))
        .y_label_formatter(&name)
        .label_style((FONT, 14))
        .draw()?;
    for (row, &(server, spread)) in (0..rows).rev().zip(bars) {
        let corners = [(0.0, SegmentValue::Exact(row)), (spread.median, SegmentValue::Exact(row + 1))];
        let mut bar = Rectangle::new(corners, colour(server).filled());
        bar.set_margin(7, 7, 0, 0);
        chart.draw_series([bar])?;
        let range =
            [(spread.minimum, SegmentValue::CenterOf(row)), (spread.maximum, SegmentValue::CenterOf(row))];
        chart.draw_series([PathElement::new(range, BLACK.stroke_width(2))])?;
        let digits = if spread.median < 10.0 { 2 } else { 1 };
        let label = Text::new(
            format!("{:.digits$}", spread.median),
            (spread.maximum + maximum * 0.012, SegmentValue::CenterOf(row)),
            (FONT, 14).into_text_style(&canvas).pos(Pos::new(HPos::Left, VPos::Center)),
        );
        chart.draw_series([label])?;
    }
    canvas.present()?;
    Ok(())
}

/// Latency over quantiles, the quantiles stretched towards 1 and the latencies on a logarithmic scale.
fn draw_curves(
    path: &Path,
    caption: &str,
    curves: &[(Server, Vec<(f64, f64)>)],
) -> Result<(), Box<dyn std::error::Error>> {
    let latencies = || curves.iter().flat_map(|(_, curve)| curve.iter().map(|&(_, latency)| latency));
    let low = latencies().fold(f64::INFINITY, f64::min).max(0.01);
    let high = latencies().fold(low, f64::max);
    let canvas = SVGBackend::new(path, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(caption, (FONT, 17))
        .margin(12)
        .margin_right(24)
        .y_label_area_size(56)
        .x_label_area_size(28)
        .build_cartesian_2d(0.0..nines(LAST_QUANTILE), (low / 1.3..high * 1.3).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(5)
        .x_label_formatter(&|nines| percentile_label(*nines))
        .y_label_formatter(&|latency| format!("{latency}"))
        .label_style((FONT, 14))
        .draw()?;
    for (server, curve) in curves {
        let points = curve.iter().map(|&(quantile, latency)| (nines(quantile), latency.max(low)));
        let colour = colour(*server);
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(3)))?
            .label(server.title())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(TRANSPARENT)
        .label_font((FONT, 14))
        .draw()?;
    canvas.present()?;
    Ok(())
}

/// Beyond, one run has too few messages to say anything.
const LAST_QUANTILE: f64 = 0.9999;

/// 0.9 is 1, 0.99 is 2, and so on.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn percentile_label(nines: f64) -> String {
    let percentile = 100.0 * (1.0 - 10f64.powf(-nines));
    let rounded = (percentile * 1000.0).round() / 1000.0;
    format!("p{rounded}")
}

/// The median over the rounds at each quantile.
fn median_curve(results: &Results, server: Server) -> Vec<(f64, f64)> {
    let curves: Vec<_> = results
        .runs
        .iter()
        .filter(|run| run.scenario == Scenario::FixedRate && run.server == server)
        .filter_map(|run| run.outcome.latencies.get("acknowledgement"))
        .map(|summary| &summary.curve)
        .collect();
    let Some(first) = curves.first() else { return Vec::new() };
    let quantiles = first.iter().enumerate().filter(|(_, (quantile, _))| *quantile <= LAST_QUANTILE);
    quantiles
        .filter_map(|(index, &(quantile, _))| {
            let latencies = curves.iter().filter_map(|curve| Some(curve.get(index)?.1));
            Some((quantile, Spread::of(latencies)?.median))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_named_as_people_say_them() {
        assert_eq!(percentile_label(nines(0.0)), "p0");
        assert_eq!(percentile_label(nines(0.9)), "p90");
        assert_eq!(percentile_label(nines(0.999)), "p99.9");
    }
}
