//! The drawing beside a text of full width: five columns, from left to right.

use std::collections::BTreeSet;

use super::model::{Lane, Part, Picture, Row, State};
use super::svg::{self, Frame, as_f64};
use crate::report::html::page::Page;

const WIDTH: f64 = 1040.0;
const INTERNET: (f64, f64) = (1.0, 86.0);
const BALANCER: (f64, f64) = (126.0, 214.0);
const SERVICE: (f64, f64) = (380.0, 220.0);
const NODE: (f64, f64) = (676.0, 190.0);
const KUBELET: (f64, f64) = (898.0, 142.0);
/// With more lanes than these, ways that are well share a line before the nodes.
const LANES: usize = 3;
const SHARED: f64 = NODE.0 - 28.0;
const TOP: f64 = 34.0;
const GAP: f64 = 14.0;

pub fn size(picture: &Picture) -> (f64, f64) {
    (WIDTH, TOP + tallest(picture) + 4.0)
}

fn lane_height(lane: &Lane) -> f64 {
    svg::height(&lane.balancer).max(svg::height(&lane.service))
}

fn row_height(row: &Row) -> f64 {
    svg::height(&row.node).max(svg::height(&row.kubelet))
}

fn stacked(heights: impl Iterator<Item = f64>) -> f64 {
    heights.map(|height| height + GAP).sum::<f64>() - GAP
}

fn tallest(picture: &Picture) -> f64 {
    stacked(picture.lanes.iter().map(lane_height)).max(stacked(picture.rows.iter().map(row_height)))
}

/// Where each of a column's parts begins, all of them in the middle.
fn tops(heights: &[f64], tallest: f64) -> Vec<f64> {
    let mut y = TOP + (tallest - stacked(heights.iter().copied())) / 2.0;
    let top = |height: &f64| {
        let top = y;
        y += height + GAP;
        top
    };
    heights.iter().map(top).collect()
}

pub fn draw(page: &mut Page, picture: &Picture) {
    let tallest = tallest(picture);
    let headings = [
        (INTERNET, "from"),
        (BALANCER, "load balancers"),
        (SERVICE, "Services"),
        (NODE, "nodes"),
        (KUBELET, "kubelets"),
    ];
    for ((x, width), heading) in headings {
        svg::label(page, "heading", x + width / 2.0, 14.0, heading);
    }
    let lane_heights: Vec<f64> = picture.lanes.iter().map(lane_height).collect();
    let row_heights: Vec<f64> = picture.rows.iter().map(row_height).collect();
    let (lane_tops, row_tops) = (tops(&lane_heights, tallest), tops(&row_heights, tallest));
    let frame = |column: (f64, f64), top: f64, room: f64, part: &Part| {
        let height = svg::height(part);
        Frame { x: column.0, y: top + (room - height) / 2.0, width: column.1, height }
    };
    let internet = Frame { x: INTERNET.0, y: TOP + tallest / 2.0 - 24.0, width: INTERNET.1, height: 48.0 };
    let lanes: Vec<(Frame, Frame)> = (picture.lanes.iter().enumerate())
        .map(|(i, lane)| {
            let at = |column, part| frame(column, lane_tops[i], lane_heights[i], part);
            (at(BALANCER, &lane.balancer), at(SERVICE, &lane.service))
        })
        .collect();
    let rows: Vec<(Frame, Frame)> = (picture.rows.iter().enumerate())
        .map(|(i, row)| {
            let at = |column, part| frame(column, row_tops[i], row_heights[i], part);
            (at(NODE, &row.node), at(KUBELET, &row.kubelet))
        })
        .collect();
    ways(page, picture, internet, &lanes, &rows);
    svg::outline(page, internet);
    svg::label(page, "name", internet.x + internet.width / 2.0, internet.middle() + 4.5, "internet");
    for (lane, (balancer, service)) in picture.lanes.iter().zip(&lanes) {
        svg::part(page, &lane.balancer, *balancer);
        svg::part(page, &lane.service, *service);
    }
    for (row, (node, kubelet)) in picture.rows.iter().zip(&rows) {
        svg::part(page, &row.node, *node);
        svg::part(page, &row.kubelet, *kubelet);
    }
}

/// How it stands, from where to where, and where its sign is.
type Way = (State, (f64, f64), (f64, f64), f64);

/// All ways, the worst on top.
fn ways(
    page: &mut Page,
    picture: &Picture,
    internet: Frame,
    lanes: &[(Frame, Frame)],
    rows: &[(Frame, Frame)],
) {
    let mut ways: Vec<Way> = Vec::new();
    let (mut shared, mut ends): (BTreeSet<usize>, Vec<f64>) = Default::default();
    for (lane, (balancer, service)) in picture.lanes.iter().zip(lanes) {
        ways.push((lane.gate, (internet.right(), internet.middle()), (balancer.x, balancer.middle()), 0.62));
        ways.push((lane.pass, (balancer.right(), balancer.middle()), (service.x, service.middle()), 0.5));
    }
    for (i, (node, kubelet)) in rows.iter().enumerate() {
        let coming: Vec<(usize, State)> = (picture.lanes.iter().enumerate())
            .filter_map(|(l, lane)| Some((l, lane.to.iter().find(|(row, _)| *row == i)?.1)))
            .collect();
        let shares = |state: State| picture.lanes.len() > LANES && state == State::Fine;
        if coming.iter().any(|(_, state)| shares(*state)) {
            ends.push(node.middle());
            ways.push((State::Fine, (SHARED, node.middle()), (node.x, node.middle()), 0.5));
        }
        for (nth, (l, state)) in coming.iter().enumerate() {
            if shares(*state) {
                let y = lanes[*l].1.middle();
                ends.push(y);
                shared.insert(*l);
                continue;
            }
            let y = node.y + node.height * as_f64(nth + 1) / as_f64(coming.len() + 1);
            let from = lanes[*l].1;
            // signs of neighbouring ways beside each other, not on each other
            ways.push((*state, (from.right(), from.middle()), (node.x, y), 0.86 - 0.1 * as_f64(nth % 3)));
        }
        let state = picture.rows[i].kubelet.state;
        let state = if state == State::Unseen { State::Unseen } else { State::Fine };
        ways.push((state, (node.right(), node.middle()), (kubelet.x, kubelet.middle()), 0.5));
    }
    for lane in shared {
        let from = lanes[lane].1;
        ways.push((State::Fine, (from.right(), from.middle()), (SHARED, from.middle()), 0.5));
    }
    if !ends.is_empty() {
        let (top, bottom) = ends.iter().fold((f64::MAX, f64::MIN), |(a, b), y| (a.min(*y), b.max(*y)));
        svg::rail(page, State::Fine, &[(SHARED, top), (SHARED, bottom)]);
    }
    ways.sort_by_key(|(state, ..)| *state);
    for (state, from, to, mark) in ways {
        svg::way(page, state, from, to, mark);
    }
}
