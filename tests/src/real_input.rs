//! A real list of films, through the program: imported, synced by processes of their own, exported.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Bed;
use crate::support::program::{assert_sound, changes_in, init, ok, relay, run, text};

/// A folder with the whole files of which `tests/data` holds the beginnings.
pub(crate) fn data_folder() -> Option<PathBuf> {
    std::env::var_os("SYNCLINE_DATA").map(PathBuf::from)
}

fn movies() -> PathBuf {
    let whole = data_folder().map(|folder| folder.join("movies.json")).filter(|path| path.exists());
    whole.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data/movies-sample.json"))
}

fn sdl() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/movies.graphql");
    std::fs::read_to_string(path).unwrap()
}

fn rows() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(movies()).unwrap()).unwrap()
}

/// Row numbers, from 1, whose title is missing or a number.
fn unfit() -> BTreeSet<usize> {
    let rows = rows();
    let unfit = rows.iter().enumerate().filter(|(_, row)| !row["Title"].is_string());
    unfit.map(|(index, _)| index + 1).collect()
}

#[test]
fn every_row_that_does_not_fit_is_named_and_nothing_is_imported_unless_asked() {
    let bed = Bed::new();
    let db = init(&bed, "movies.db", &sdl());
    let said = run(["import", &db, "Movie", &text(&movies())]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(unfit().len(), 10);
    for row in unfit() {
        let named = said.err.lines().any(|line| line.contains(&format!("row {row}")) && line.contains("title"));
        assert!(named, "row {row} is not named with its field: {}", said.err);
    }
    assert!(said.err.contains("--skip-invalid"), "{}", said.err);
    assert_eq!(ok(["query", &db, "Movie", "--count"]).text().trim(), "0");
    assert_eq!(changes_in(&bed.path("movies.db")), 0);
}

#[test]
fn films_reach_a_second_replica_through_a_relay_and_exports_are_the_same_bytes() {
    let bed = Bed::new();
    let [one, other, third] = ["one.db", "other.db", "third.db"].map(|name| init(&bed, name, &sdl()));
    let import = ["import", &one, "Movie", &text(&movies()), "--skip-invalid", "--json"];
    let counts = ok(import).json();
    let (all, bad) = (rows().len() as u64, unfit().len() as u64);
    assert_eq!((counts["rows"].as_u64(), counts["skipped"].as_u64()), (Some(all), Some(bad)));
    assert_eq!(counts["imported"].as_u64(), Some(all - bad));

    let relay = relay(&bed.path("relay"));
    let sent = ok(["sync", &one, &relay.url, "--json"]).json();
    assert_eq!(sent["sent_changes"].as_u64(), Some(all - bad));
    let received = ok(["sync", &other, &relay.url, "--json"]).json();
    assert_eq!(received["received_changes"].as_u64(), Some(all - bad));

    let exported = ok(["export", &one]);
    assert_eq!(exported.text().lines().count() as u64, all - bad);
    assert!(exported.out == ok(["export", &other]).out, "the replicas' exports differ");

    // Out and in again is the same again.
    let file = bed.path("export.ndjson");
    std::fs::write(&file, &exported.out).unwrap();
    ok(["import", &third, "Movie", &text(&file)]);
    assert!(exported.out == ok(["export", &third]).out, "the export changed on its way through a file");

    // And importing once more changes nothing, here or there.
    let again = ok(import).json();
    assert_eq!(again["unchanged"].as_u64(), Some(all - bad));
    for name in ["one.db", "other.db", "third.db"] {
        assert_sound(&bed.path(name));
    }
}

#[test]
fn every_value_of_a_film_arrives_in_its_type() {
    let bed = Bed::new();
    let db = init(&bed, "movies.db", &sdl());
    ok(["import", &db, "Movie", &text(&movies()), "--skip-invalid"]);
    let shown = ok(["export", &db, "Movie"]).lines();
    let rows = rows();
    let fit: Vec<&Value> = rows.iter().filter(|row| row["Title"].is_string()).collect();
    // Ids follow the file's order, and exports the order of ids.
    assert_eq!(shown.len(), fit.len());
    let fields = [
        ("Title", "title"),
        ("US Gross", "usGross"),
        ("Worldwide Gross", "worldwideGross"),
        ("US DVD Sales", "usDvdSales"),
        ("Production Budget", "productionBudget"),
        ("MPAA Rating", "mpaaRating"),
        ("Running Time min", "runningTimeMin"),
        ("Distributor", "distributor"),
        ("Source", "source"),
        ("Major Genre", "majorGenre"),
        ("Creative Type", "creativeType"),
        ("Director", "director"),
        ("Rotten Tomatoes Rating", "rottenTomatoesRating"),
        ("IMDB Votes", "imdbVotes"),
    ];
    for (row, record) in fit.iter().zip(&shown) {
        for (column, field) in fields {
            assert_eq!(row[column], record[field], "{row}");
        }
        assert_eq!(row["IMDB Rating"].as_f64(), record["imdbRating"].as_f64(), "{row}");
        assert_eq!(iso(row["Release Date"].as_str().unwrap()), record["releaseDate"].as_str().unwrap());
    }
    // Typed columns answer typed questions.
    let wanted = fit.iter().filter(|row| row["IMDB Rating"].as_f64().is_some_and(|rating| rating >= 8.0)).count();
    let found = ok(["query", &db, "Movie", "--where", "imdbRating >= 8", "--count"]);
    assert_eq!(found.text().trim(), wanted.to_string());
    let filtered =
        ok(["query", &db, "Movie", "--filter", r#"{"imdbRating":{"ge":8}}"#, "--order", "imdbRating:desc,title"]);
    let ratings: Vec<f64> = filtered.lines().iter().map(|record| record["imdbRating"].as_f64().unwrap()).collect();
    assert_eq!(ratings.len(), wanted);
    assert!(ratings.windows(2).all(|pair| pair[0] >= pair[1]), "{ratings:?}");
}

/// "Jun 12 1998" as 1998-06-12.
fn iso(text: &str) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let [month, day, year] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let month = MONTHS.find(month).unwrap() / 3 + 1;
    format!("{year}-{month:02}-{:02}", day.parse::<u32>().unwrap())
}
