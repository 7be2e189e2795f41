//! The page on a screen of any size. Nothing is told by colour alone, so that every terminal shows it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, TableState, Wrap};

use super::facts::{Facts, View};
use super::page::Page;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const MARKED: Style = Style::new().add_modifier(Modifier::REVERSED);

const HELP: [&str; 12] = [
    "1 … 7, Tab, ← →    the other pages",
    "↑ ↓, j k           one row up or down",
    "PgUp PgDn, g G     a page up or down, the first row, the last",
    "Enter              the model's records; all about a record",
    "Esc                back",
    "/                  only records for which a condition holds,",
    "                   as `query --where` takes it: done = false",
    "r                  read again now; news come by themselves",
    "q, Ctrl-C          leave",
    "",
    "Nothing here writes to the store. A program that has it open goes",
    "on beside this page.",
];

pub(super) fn draw(page: &mut Page, frame: &mut Frame<'_>) {
    let [head, tabs, title, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(page.facts.head.as_str()).style(DIM), head);
    frame.render_widget(tabs_line(page.wish.view), tabs);
    frame.render_widget(Paragraph::new(page.facts.title.as_str()).style(BOLD), title);
    if page.wish.record.is_some() {
        record(page, frame, body);
    } else {
        list(page, frame, body);
    }
    frame.render_widget(foot_line(page), foot);
    if page.helps {
        help(frame);
    }
}

fn tabs_line(now: View) -> Line<'static> {
    let tabs = View::ALL.iter().zip(1..).map(|(view, number)| {
        let style = if *view == now { MARKED } else { Style::new() };
        Span::styled(format!(" {number} {} ", view.title()), style)
    });
    Line::from(tabs.collect::<Vec<_>>())
}

fn list(page: &mut Page, frame: &mut Frame<'_>, area: Rect) {
    page.room = usize::from(area.height.saturating_sub(1));
    let Facts { columns, rows, .. } = &page.facts;
    let rows = rows.iter().map(|row| Row::new(row.cells.iter().map(String::as_str)));
    let table = Table::new(rows, widths(&page.facts, area.width))
        .header(Row::new(columns.iter().map(String::as_str)).style(DIM))
        .row_highlight_style(MARKED);
    let mut state = TableState::new().with_selected((!page.facts.rows.is_empty()).then_some(page.marked));
    frame.render_stateful_widget(table, area, &mut state);
}

/// What each column needs, where there is room; what is left goes to the widest.
fn widths(facts: &Facts, width: u16) -> Vec<Constraint> {
    let columns = facts.columns.len().max(1);
    let needs = (0..columns).map(|column| {
        let cells = facts.rows.iter().filter_map(|row| row.cells.get(column));
        let widest = cells.chain(facts.columns.get(column)).map(|text| Span::raw(text.as_str()).width()).max();
        widest.unwrap_or(0).min(usize::from(u16::MAX)) as u16
    });
    let needs: Vec<u16> = needs.collect();
    let room = width.saturating_sub(columns as u16 - 1);
    let fair = room / columns as u16;
    // Columns that need less than their share leave the rest to the others.
    let spare: u16 = needs.iter().map(|need| fair.saturating_sub(*need)).sum();
    let greedy = needs.iter().filter(|need| **need > fair).count() as u16;
    let more = spare.checked_div(greedy).unwrap_or(0);
    needs.iter().map(|need| Constraint::Length((*need).min(fair + more))).collect()
}

fn record(page: &mut Page, frame: &mut Frame<'_>, area: Rect) {
    page.room = usize::from(area.height);
    let lines = page.facts.record.iter().map(|line| Line::from(line.as_str()));
    let text = Paragraph::new(lines.collect::<Vec<_>>()).wrap(Wrap { trim: false });
    let scrolled = page.scrolled.min(usize::from(u16::MAX)) as u16;
    frame.render_widget(text.scroll((scrolled, 0)), area);
}

fn foot_line(page: &Page) -> Line<'_> {
    if let Some(typed) = &page.typed {
        return Line::from(vec![Span::styled("where ", BOLD), Span::raw(typed.as_str()), Span::styled(" ", MARKED)]);
    }
    if let Some(trouble) = &page.trouble {
        return Line::from(vec![Span::styled("error: ", BOLD), Span::raw(trouble.as_str())]);
    }
    let keys = match (&page.wish.record, page.wish.view) {
        (Some(_), _) => "↑↓ scroll  Esc back  ? help  q leave",
        (None, View::Models) => "Enter records  Tab next page  / filter  ? help  q leave",
        (None, View::Records) => "Enter record  / filter  Esc back  ? help  q leave",
        (None, _) => "Enter record  Tab next page  Esc back  ? help  q leave",
    };
    Line::styled(keys, DIM)
}

fn help(frame: &mut Frame<'_>) {
    let whole = frame.area();
    let width = (HELP.iter().map(|line| Span::raw(*line).width()).max().unwrap_or(0) as u16 + 4).min(whole.width);
    let height = (HELP.len() as u16 + 2).min(whole.height);
    let area = Rect::new((whole.width - width) / 2, (whole.height - height) / 2, width, height);
    let text = Paragraph::new(HELP.map(Line::from).to_vec()).block(Block::bordered().title(" Keys "));
    frame.render_widget(Clear, area);
    frame.render_widget(text, area);
}
