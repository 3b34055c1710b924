//! The drawing on a phone: from top to bottom, each Service beneath its load balancer, each kubelet inside its node.
//! One rail leads from the internet to the load balancers, the other from the Services to the nodes.

use super::model::{Lane, Picture, Row, State};
use super::svg::{self, Frame};
use crate::report::html::page::Page;

const WIDTH: f64 = 340.0;
const LEFT: f64 = 24.0;
const ROOM: f64 = 292.0;
const RAIL_IN: f64 = 8.0;
const RAIL_OUT: f64 = 330.0;
const KUBELET: f64 = 112.0;
const GAP: f64 = 16.0;
const TOLD: f64 = 15.0;
const START: f64 = 34.0;

fn lane_height(lane: &Lane) -> f64 {
    svg::height(&lane.balancer)
        + 12.0
        + svg::height(&lane.service)
        + TOLD * svg::as_f64(lane.told.len())
        + 4.0
}

fn row_height(row: &Row) -> f64 {
    svg::height(&row.node).max(svg::height(&row.kubelet) + 14.0)
}

fn heading() -> f64 {
    26.0
}

pub fn size(picture: &Picture) -> (f64, f64) {
    let lanes: f64 = picture.lanes.iter().map(|lane| lane_height(lane) + GAP).sum();
    let rows: f64 = picture.rows.iter().map(|row| row_height(row) + 10.0).sum();
    (WIDTH, START + 12.0 + lanes + heading() + rows)
}

pub fn draw(page: &mut Page, picture: &Picture) {
    let internet = Frame { x: 1.0, y: 1.0, width: 100.0, height: 30.0 };
    let mut y = START + 12.0;
    let (mut gates, mut parts) = (Vec::new(), Vec::new());
    for lane in &picture.lanes {
        let balancer = Frame { x: LEFT, y, width: ROOM, height: svg::height(&lane.balancer) };
        let below = balancer.bottom() + 12.0;
        let service = Frame { x: LEFT, y: below, width: ROOM, height: svg::height(&lane.service) };
        gates.push((lane.gate, balancer.middle()));
        parts.push((lane, balancer, service));
        y += lane_height(lane) + GAP;
    }
    let nodes_heading = y + 10.0;
    y += heading();
    let mut rows = Vec::new();
    for row in &picture.rows {
        rows.push((row, Frame { x: LEFT, y, width: ROOM, height: row_height(row) }));
        y += row_height(row) + 10.0;
    }
    // the rails first, so that boxes lie over them
    if let Some((_, last)) = gates.last() {
        let trunk = common(gates.iter().map(|(state, _)| *state));
        svg::rail(page, trunk, &[(RAIL_IN, internet.bottom()), (RAIL_IN, *last)]);
    }
    for (state, middle) in &gates {
        svg::rail(page, *state, &[(RAIL_IN, *middle), (LEFT, *middle)]);
        svg::sign(page, *state, RAIL_IN + 0.5, *middle);
    }
    for (lane, balancer, service) in &parts {
        let x = LEFT + 40.0;
        svg::rail(page, lane.pass, &[(x, balancer.bottom()), (x, service.y)]);
    }
    let right = LEFT + ROOM;
    let leaving: Vec<(State, f64)> = (parts.iter())
        .filter_map(|(lane, _, service)| {
            Some((lane.to.iter().map(|(_, state)| *state).max()?, service.middle()))
        })
        .collect();
    let coming: Vec<(State, f64)> = (rows.iter().enumerate())
        .filter_map(|(i, (_, node))| {
            let ways = picture.lanes.iter().flat_map(|lane| &lane.to);
            Some((ways.filter(|(row, _)| *row == i).map(|(_, state)| *state).max()?, node.middle()))
        })
        .collect();
    if let (Some((_, first)), Some((_, last))) = (leaving.first(), coming.last()) {
        let trunk = common(coming.iter().map(|(state, _)| *state));
        svg::rail(page, trunk, &[(RAIL_OUT, *first), (RAIL_OUT, *last)]);
    }
    for (state, middle) in &leaving {
        svg::rail(page, *state, &[(right, *middle), (RAIL_OUT, *middle)]);
    }
    for (state, middle) in &coming {
        svg::rail(page, *state, &[(RAIL_OUT, *middle), (right, *middle)]);
        svg::sign(page, *state, RAIL_OUT - 0.5, *middle);
    }
    svg::outline(page, internet);
    svg::label(page, "name", internet.x + internet.width / 2.0, internet.middle() + 4.5, "internet");
    for (lane, balancer, service) in &parts {
        svg::part(page, &lane.balancer, *balancer);
        svg::part(page, &lane.service, *service);
        let mut below = service.bottom() + TOLD;
        for told in &lane.told {
            svg::line(page, LEFT + 4.0, below, told, ROOM - 4.0);
            below += TOLD;
        }
    }
    svg::words(page, "heading", LEFT, nodes_heading, "nodes and their kubelets");
    for (row, node) in &rows {
        svg::part_in(page, &row.node, *node, ROOM - KUBELET - 14.0);
        let height = svg::height(&row.kubelet);
        let (x, y) = (node.right() - KUBELET - 7.0, node.middle() - height / 2.0);
        svg::part(page, &row.kubelet, Frame { x, y, width: KUBELET, height });
    }
}

/// How a line stands that several ways share: as all of them do, else as a plain line.
fn common(mut states: impl Iterator<Item = State>) -> State {
    let first = states.next().unwrap_or(State::Fine);
    if states.all(|state| state == first) { first } else { State::Fine }
}
