//! What the program understands on its command line, and what `--help` says about it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::sim::args::SimCommand;

const AFTER_HELP: &str = "\
ID is a record's id, or a JSON object of its key fields. JSON is one object, or `-` to read it from stdin.
Data goes to stdout, messages and progress to stderr.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 timed out; `sim` has its own.
SYNCLINE_LOG sets what is logged to stderr: error, warn (default), info, debug, trace, or per module.

First steps:
  syncline demo
  syncline init app.db --schema schema.graphql
  syncline save app.db Todo '{\"title\":\"Buy milk\"}'
  syncline relay run --data relay/ --listen 127.0.0.1:4433 --dev
  syncline sync app.db 'syncline://127.0.0.1:4433?pin=…'";

/// Records in a local SQLite file, saved at once and offline; replicas exchange changes over QUIC and converge.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show two replicas and a relay part and meet again, narrated; needs nothing and leaves nothing behind
    Demo,
    /// Make a store from a schema, or give an existing one a newer schema
    ///
    /// A new schema may add and rename models, fields and enum values; nothing is lost. A change that
    /// existing records cannot follow is refused, and the store stays as it was.
    Init(InitArgs),
    /// Save a record and print it; a key that exists updates that record
    ///
    /// Fields that are left out get their default, or null. With the key of an existing record in the
    /// JSON only the named fields change. Saving over a deleted record brings it back.
    ///
    /// A JSON array saves its records, 500 at most, as one transaction, all or none, and prints each on a line.
    Save(SaveArgs),
    /// Change some fields of a record and print it
    ///
    /// Texts and lists are changed by their difference, so concurrent edits elsewhere in them survive.
    Update(UpdateArgs),
    /// Print a record, as it stands or as it was
    Get(GetArgs),
    /// Delete a record and print what it held, or delete all records that match; `undelete` brings one back
    ///
    /// What the schema's `onDelete` takes along goes in the same transaction, and so do the records' links. More than
    /// 500 records at once, those taken along included, need --in-parts. With --where, --filter or --all it prints
    /// {"deleted":N,"along":M}: how many matched, and how many others were deleted or lost their reference to them.
    Delete(DeleteArgs),
    /// Bring a deleted record back, with the edits that were made meanwhile, and print it
    Undelete(RecordArgs),
    /// Edit a collaborative text (`@text`) in place and print the record
    Edit(EditArgs),
    /// Mark characters of a rich text (`@text(rich: true)`) and print its spans
    ///
    /// Marks are bold, link, comment or any other NAME, with a string, number or boolean as JSON. Text typed
    /// right behind a mark belongs to it unless --expand says otherwise: `none` suits links and comments.
    Mark(MarkArgs),
    /// Take the marks of a name from characters of a rich text and print its spans
    Unmark(UnmarkArgs),
    /// Print a rich text as spans: a JSON list of runs with the same marks
    ///
    /// Each span is {"from":N,"to":N,"text":"…","marks":{NAME:VALUE,…}}, positions in code points. A text that
    /// is null prints null.
    Spans(TextArgs),
    /// Give a rich text these characters and marks by their difference, and print its spans
    ///
    /// Takes what `spans` prints; `from` and `to` may be left out. Concurrent edits elsewhere survive, and spans
    /// that are there already make no change.
    SetSpans(SetSpansArgs),
    /// Print a cursor for a position of a text, or the position where a cursor stands now
    ///
    /// A cursor holds on to the character on one side of its position, and is resolved on any replica after
    /// any edits. Where that character is deleted it stands where it was.
    Cursor(CursorArgs),
    /// Add to a counter (`@counter`) and print the record; increments of all replicas add up
    Increment(IncrementArgs),
    /// Write a record's Automerge document to stdout, loadable by any Automerge
    Document(RecordArgs),
    /// Print the records that match, one JSON object per line, in primary-key order unless ordered otherwise
    Query(QueryArgs),
    /// Print the records that match, then every difference as it happens, until interrupted
    ///
    /// NDJSON. First the result, a line `{"change":"result","index":N,"record":{…}}` for each record in
    /// order, closed by `{"change":"ready","records":N,"is_synced":false}`. Then the differences, to be applied
    /// in order: `{"change":"inserted"|"updated","index":N,"record":{…}}`,
    /// `{"change":"moved","from":N,"to":N,"record":{…}}`, and `{"change":"removed","index":N,"record":{…}}`.
    /// With --include, a change of a related record updates those that show it.
    ///
    /// It has no link to peers, so it never says that the store is synced. What other processes write to the same file
    /// shows, and so does what `serve` and `sync --follow` receive.
    Watch(WatchArgs),
    /// Import records from NDJSON, JSON or CSV, or from what DataStore's cloud gives
    ///
    /// Columns find their field by name, exactly first, then without regard to case, spaces, `_` and `-`:
    /// "US Gross" fills usGross. Values are converted where the field's type leaves no doubt: cells of a
    /// CSV to numbers and booleans (an empty cell is null, a cell of two quotation marks the empty text, lists and
    /// objects are JSON), whole numbers written as 7.0, and dates such as "Jun 12 1998" or "12-Jun-1998" to
    /// 1998-06-12. A number never becomes a text. Every row is a whole record.
    ///
    /// Every row that does not fit is named with its row, line, field and reason. Without --skip-invalid
    /// the whole file is checked first, and nothing is imported if a row does not fit.
    ///
    /// An import that was interrupted is simply run again, and goes on where it was: the store keeps, with every
    /// batch of rows, how many were taken and a hash of all of them, so a file that was changed before that place
    /// begins at its first row. Once an import is over, running it again makes nothing twice:
    /// rows that bring their key update the record that has it; --key FIELD names another field that tells records
    /// apart; all other rows get an id made from the model, the row's number and its content, so the same file always
    /// means the same records, on every replica. (A row that is changed or moved is another record then: use --key
    /// for files that change.)
    ///
    /// createdAt is kept where given, and updatedAt becomes the time of the change, so an export imported
    /// into a new store exports the same bytes. Rows of other models, marked by `__typename`, are passed over.
    ///
    /// Answers of AppSync's list queries import as they are ({"data":{"listPosts":{"items":[…]}}}, with or
    /// without what stands around the items, one page or many), and so do exports of DynamoDB tables. _version,
    /// _lastChangedAt and _ttl are left out unless the model has such a field; rows with `_deleted: true` are not
    /// made, and counted; of a record inside a row its key is taken, lists of records inside rows are left out,
    /// and counted.
    Import(ImportArgs),
    /// Print every record of a model, or of all, one JSON object per line, in primary-key order
    ///
    /// Prints only what is safe on disk. Without MODEL, a store of several models marks each line with
    /// "__typename", which `import` understands. Where a rich text has marks, "~spans" has them by field.
    ///
    /// With --output the records go to a file, which is there only once it is whole. What an export that was cut off
    /// has written waits beside it, in FILE.partial and FILE.position; the same command goes on there. Each record
    /// stands as it was when its page was read, so the file is not the store at one moment: records changed or deleted
    /// since may stand there as they were, and new ones whose key comes before the place reached are not there.
    Export(ExportArgs),
    /// Move an app from elsewhere
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Run a relay
    #[command(subcommand)]
    Relay(RelayCommand),
    /// Serve a store to peers directly, without a relay, until interrupted
    ///
    /// Prints `listening syncline://HOST:PORT?pin=HEX` when it is ready; peers sync with that URL.
    Serve(ServeArgs),
    /// Exchange changes with a relay or a peer; ends when both have what the other had
    Sync(SyncArgs),
    /// Show what a store holds, what waits to be sent, and who was met
    Status(StoreArgs),
    /// Look into a store on a page of the terminal: models, records, outbox, peers, vectors, changes as they come,
    /// conflicts
    ///
    /// For a terminal, also over ssh; `?` shows the keys. It looks beside whatever program has the store open, which
    /// does not notice, and writes nothing: a file of an older format, or one whose tables a newer schema has left to be
    /// filled, must be opened once by its app or another command first.
    Inspect(InspectArgs),
    /// Print a store's causal position, or one record's, as a token
    Vector(VectorArgs),
    /// Compare two tokens: prints equal, before, after or concurrent
    Compare(CompareArgs),
    /// Show the changes of a record, or the newest ones of all records, oldest first: NDJSON, and text on a terminal
    ///
    /// Each line is one change: who made it ("replica", "counter", "mine"), when ("time_ms"), what it did ("did"),
    /// "concurrent_with" for changes before it in the list that its writer did not know of (the last 32), "joins" for
    /// those that it brought together, "turn" for an undo or redo. Each thing done has a "did" (created, deleted,
    /// undeleted, set, settled, counted, added, removed, text, marked, list, unknown) and, but for the first three, a
    /// "field"; unknown has the "key" of a field that the schema lacks. "kind" is `applied` unless the change is not
    /// part of the record; "note" says why then.
    History(HistoryArgs),
    /// Take back this store's last edit of a record that still stands, and print the record
    ///
    /// What others wrote stays. Again it takes back the edit before; taking back the first one deletes the record.
    /// Marks of rich texts become again what they were; where they divide a text into more than 256 runs that is refused.
    Undo(RecordArgs),
    /// Do again what was undone last, unless this store has edited the record since, and print the record
    Redo(RecordArgs),
    /// List the records that hold concurrent values, with who wrote them and when: NDJSON, and a table on a terminal
    ///
    /// Each line is {"model":NAME,"id":ID,"conflicts":[…]}, each conflict {"field":PATH,"rule":RULE,"values":[…]},
    /// each value {"value":JSON,"shows":BOOL,"replica":ID,"counter":N,"mine":BOOL,"time_ms":N}: first the one that
    /// shows. RULE says what decides: winner, max, min or latest. Of a record that is named, its line is printed
    /// with or without conflicts.
    Conflicts(ConflictsArgs),
    /// Leave one value in a field that holds several, and print the record
    ///
    /// The value may be one of them or a new one. It settles the conflict on every replica that gets this
    /// change. A field that holds one value is refused: `update` changes it.
    Resolve(ResolveArgs),
    /// Check a store: SQLite's own check, every change against its hash, every table against its changes
    Verify(StoreArgs),
    /// Work on schema files
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Simulate whole fleets on your schema, in virtual time: partitions, crashes, power cuts, hostile peers
    ///
    /// Everything follows from a seed, so what fails fails again when it is replayed.
    ///
    /// Two commands to a first report:
    ///   syncline sim init --schema schema.graphql
    ///   syncline sim run scenario.toml --html report.html
    ///
    /// Exit codes: 0 passed; 1 a check did not hold; 2 wrong usage or scenario; 3 the fleet did not come to
    /// agree; 4 two runs of one schedule differed; 5 a panic or crash; 6 the time was over before --min-runs;
    /// 130 interrupted.
    #[command(subcommand, verbatim_doc_comment)]
    Sim(SimCommand),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The schema, in GraphQL SDL
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: PathBuf,
    /// The namespace that replicas share; `default` unless named
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Let an existing store go without models, fields and enum values that the schema lacks; their values are kept
    #[arg(long)]
    pub(crate) accept_removals: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    pub(crate) model: String,
    /// The record, or an array of records, or `-` to read them from stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) json: String,
    /// Update the one record that is equal in these fields, whatever its key; create one if none is
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', conflicts_with = "condition")]
    pub(crate) key: Vec<String>,
    #[command(flatten)]
    pub(crate) only_if: ConditionArgs,
}

/// What must hold of a record before it is written.
#[derive(Debug, Args)]
pub(crate) struct ConditionArgs {
    /// Only if the stored record matches, as filter JSON or as an SQL condition; else nothing is written
    #[arg(id = "condition", long = "if", value_name = "JSON|EXPR", allow_hyphen_values = true)]
    pub(crate) condition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// The fields to change, or `-` to read them from stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) json: String,
    #[command(flatten)]
    pub(crate) only_if: ConditionArgs,
}

/// One record of a store.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    pub(crate) model: String,
    /// The record's id, or a JSON object of its key fields
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// As it was: at a token (`vector` prints one), at a time (2026-01-31, 2026-01-31T08:00:00Z, milliseconds since
    /// 1970), or right after a change as `history` names it (3f2a1b2c:7, or a hash)
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "where_text", "filter", "all"])))]
pub(crate) struct DeleteArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    pub(crate) model: String,
    /// The record's id, or a JSON object of its key fields
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: Option<String>,
    /// All records that match an SQL condition: "done = true AND priority < 3"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) where_text: Option<String>,
    /// All records that match AppSync filter JSON: '{"done":{"eq":true}}'
    #[arg(long, value_name = "JSON")]
    pub(crate) filter: Option<String>,
    /// Every record of the model
    #[arg(long)]
    pub(crate) all: bool,
    /// Delete in several transactions what is too much for one; what depends on others goes first
    #[arg(long, conflicts_with = "condition")]
    pub(crate) in_parts: bool,
    #[command(flatten)]
    pub(crate) only_if: ConditionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// The text field
    pub(crate) field: String,
    /// Where, in code points from 0
    #[arg(long, value_name = "POS")]
    pub(crate) at: usize,
    /// How many code points to take out
    #[arg(long, value_name = "N", default_value_t = 0, required_unless_present = "insert")]
    pub(crate) delete: usize,
    /// What to put in
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) insert: String,
}

/// One text of a store.
#[derive(Debug, Args)]
pub(crate) struct TextArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// The text field
    pub(crate) field: String,
}

/// Some characters of a text.
#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// The first character, in code points from 0
    #[arg(long, value_name = "N")]
    pub(crate) from: usize,
    /// Behind the last character, in code points
    #[arg(long, value_name = "N")]
    pub(crate) to: usize,
}

/// Whether text typed at the ends of a mark belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expand {
    /// Typed right before it, yes
    Before,
    /// Typed right behind it, yes
    After,
    /// On either side
    Both,
    /// On neither side
    None,
}

impl From<Expand> for syncline::Expand {
    fn from(expand: Expand) -> Self {
        match expand {
            Expand::Before => Self::Before,
            Expand::After => Self::After,
            Expand::Both => Self::Both,
            Expand::None => Self::None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// The mark's name
    pub(crate) name: String,
    /// The mark's value, as JSON
    #[arg(value_name = "JSON", default_value = "true", allow_hyphen_values = true)]
    pub(crate) value: String,
    /// Whether text typed at its ends belongs to it
    #[arg(long, value_enum, default_value = "after")]
    pub(crate) expand: Expand,
}

#[derive(Debug, Args)]
pub(crate) struct UnmarkArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// The marks' name
    pub(crate) name: String,
    /// Whether text typed at the ends belongs to what has no such mark
    #[arg(long, value_enum, default_value = "after")]
    pub(crate) expand: Expand,
}

#[derive(Debug, Args)]
pub(crate) struct SetSpansArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// The spans, or `-` to read them from stdin
    pub(crate) json: String,
    /// Whether text typed at the ends of marks that are put or taken away belongs to them; NAME=… for the
    /// marks of one name
    #[arg(long, value_name = "[NAME=]WHERE,…", value_parser = expand_rule, value_delimiter = ',')]
    pub(crate) expand: Vec<(Option<String>, syncline::Expand)>,
}

#[derive(Debug, Args)]
pub(crate) struct CursorArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// The cursor to find
    #[arg(conflicts_with = "at", required_unless_present = "at")]
    pub(crate) cursor: Option<String>,
    /// Where to put one, in code points from 0
    #[arg(long, value_name = "POS")]
    pub(crate) at: Option<usize>,
    /// The side of the character that it holds on to
    #[arg(long, value_enum, default_value = "before", conflicts_with = "cursor")]
    pub(crate) side: Side,
}

/// A neighbour of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Text typed at the cursor comes behind it
    Before,
    /// Text typed at the cursor comes before it
    After,
}

#[derive(Debug, Args)]
pub(crate) struct IncrementArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// The counter field
    pub(crate) field: String,
    /// How much to add; negative to subtract
    #[arg(value_name = "N", allow_negative_numbers = true)]
    pub(crate) by: i64,
}

/// Which records, in which order.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    pub(crate) model: String,
    /// Which records, as an SQL condition: "done = false AND priority >= 3"
    #[arg(long = "where", value_name = "EXPR", conflicts_with = "filter", allow_hyphen_values = true)]
    pub(crate) where_text: Option<String>,
    /// Which records, as AppSync filter JSON: '{"done":{"eq":false}}'
    #[arg(long, value_name = "JSON")]
    pub(crate) filter: Option<String>,
    /// In which order: priority:desc,due:nulls-last,title
    ///
    /// Null counts as smaller than every value, unless `nulls-first` or `nulls-last` says where it stands. The key
    /// decides among equals.
    #[arg(long, value_name = "FIELD[:desc][:nulls-first|:nulls-last],…")]
    pub(crate) order: Option<String>,
    /// Only records with these words in their fields marked `@fulltext`, the best first unless ordered otherwise
    ///
    /// All words must be there, in any field; "in double quotes" they must stand in a row. Each record gets two more
    /// keys, "~score" (the greater the better) and "~snippet".
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) search: Option<String>,
    /// The last word of --search may go on: `mil` finds "milk"
    #[arg(long, requires = "search")]
    pub(crate) prefix: bool,
    /// What stands before and behind the found words of a snippet
    #[arg(long, num_args = 2, value_names = ["OPEN", "CLOSE"], requires = "search", allow_hyphen_values = true)]
    pub(crate) marks: Option<Vec<String>>,
    /// At most so many records
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Print related records with each, under the names of their relations: comments.author,tags
    #[arg(long, value_name = "REL,…")]
    pub(crate) include: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Leave out so many of the first
    #[arg(long, value_name = "N", conflicts_with = "after")]
    pub(crate) offset: Option<u64>,
    /// Go on behind the page that ended with this token (a limited query names it on stderr)
    #[arg(long, value_name = "TOKEN")]
    pub(crate) after: Option<String>,
    /// Print the number of records instead
    #[arg(long, conflicts_with_all = ["order", "explain", "after", "include"])]
    pub(crate) count: bool,
    /// Print what is computed of the records instead: count,sum:votes,average=avg:priority
    ///
    /// There are count, count:FIELD (records with a value there), countDistinct, sum, min, max and avg; a name before
    /// `=` is the key in the output. A sum of integers is exact, or an error. --order, --limit and --offset are those
    /// of the printed lines.
    #[arg(long, value_name = "FUNCTION[:FIELD],…", conflicts_with_all = ["count", "after"])]
    pub(crate) aggregate: Option<String>,
    /// Compute for each group of records that are equal in these fields; null makes a group
    #[arg(long, value_name = "FIELD,…", conflicts_with_all = ["count", "after"])]
    pub(crate) group_by: Option<String>,
    /// Only groups that match, as filter JSON over the printed keys: '{"count":{"gt":1}}'
    #[arg(long, value_name = "JSON", requires = "aggregate")]
    pub(crate) having: Option<String>,
    /// Print the SQL and SQLite's plan instead
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Leave out so many of the first
    #[arg(long, value_name = "N")]
    pub(crate) offset: Option<u64>,
}

/// What an imported or exported file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object per line
    Ndjson,
    /// An array of JSON objects, or objects one after the other
    Json,
    /// A line of column names, then one record per line
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    pub(crate) model: String,
    /// The file to import, or `-` for stdin
    pub(crate) file: PathBuf,
    /// The file's format; told by its name and first character unless given
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// The field that tells records apart: a row updates the record that has its value
    #[arg(long, value_name = "FIELD")]
    pub(crate) key: Option<String>,
    /// Import the rows that fit, name and count the others
    #[arg(long)]
    pub(crate) skip_invalid: bool,
    /// Write the rows that do not fit to this new file, as NDJSON with what is wrong: correct and import it
    #[arg(long, value_name = "FILE", requires = "skip_invalid")]
    pub(crate) rejected: Option<PathBuf>,
    /// Begin at the first row, whatever an earlier run of the same import has done
    #[arg(long)]
    pub(crate) restart: bool,
    /// Print the counts as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model; all unless given
    pub(crate) model: Option<String>,
    /// What to write; a CSV holds one model
    #[arg(long, value_enum, default_value = "ndjson")]
    pub(crate) format: Format,
    /// Write to this new file; run again after it was cut off, go on where that was
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that is there already, once the new one is whole
    #[arg(long, requires = "output")]
    pub(crate) overwrite: bool,
    /// Begin at the first record, whatever an earlier run has written
    #[arg(long, requires = "output")]
    pub(crate) restart: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Make a schema, a store, a draft of a relay's configuration and a report of an Amplify Gen 1 project
    ///
    /// Reads amplify/backend/api/NAME (schema.graphql or schema/*.graphql, transform.conf.json) and cli.json, and
    /// with --data the files of exported tables, named after their model: Post.json, posts.csv,
    /// Post-abc123-dev.ndjson. The project is left as it is. Rows that do not fit go to rejected/MODEL.ndjson. Run
    /// again, it goes on where it was. Prints the report's path.
    Amplify(MigrateAmplifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateAmplifyArgs {
    /// The project's folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Where to write report.md, schema.graphql, relay.toml and store.db; made if missing
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// A folder of exported tables to import into store.db
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Which API, where the project has several
    #[arg(long, value_name = "NAME")]
    pub(crate) api: Option<String>,
    /// Begin every table at its first row, whatever an earlier run has done
    #[arg(long, requires = "data")]
    pub(crate) restart: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RelayCommand {
    /// Keep and forward changes for any number of replicas and namespaces, until interrupted
    ///
    /// Prints `listening syncline://HOST:PORT?pin=HEX` when it is ready; replicas sync with that URL. Port 0
    /// picks a free one. A relay needs no schema. A --dev relay opens a namespace on first contact, for
    /// whoever can reach it.
    Run(RelayRunArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RelayRunArgs {
    /// The folder for the relay's files; made if missing
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub(crate) data: Option<PathBuf>,
    /// Where to listen, as HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = listen_address, required_unless_present = "config")]
    pub(crate) listen: Option<SocketAddr>,
    /// Settings and limits in TOML; what stands on the command line goes before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Run without authentication, for development: everybody who reaches the relay may read and write
    #[arg(long)]
    pub(crate) dev: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// Where to listen, as HOST:PORT; port 0 picks a free one
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The other end: syncline://HOST:PORT?pin=HEX
    pub(crate) url: String,
    /// Trust the certificates in this PEM file instead of a pin
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The login token for the relay
    #[arg(long, value_name = "JWT")]
    pub(crate) token: Option<String>,
    /// Stay connected and exchange changes live, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,
    /// Give up after this time (500ms, 30s, 2m); the store keeps what has arrived
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Print what was exchanged as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A store, shown to people or programs.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The store's file
    pub(crate) db: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct VectorArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    #[arg(requires = "id")]
    pub(crate) model: Option<String>,
    /// The record's id, or a JSON object of its key fields
    pub(crate) id: Option<String>,
    /// Print the token with its entries as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// One token
    pub(crate) left: String,
    /// Another token
    pub(crate) right: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// The model
    #[arg(requires = "id")]
    pub(crate) model: Option<String>,
    /// The record's id, or a JSON object of its key fields
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: Option<String>,
    /// Only what was done to this field, or inside it: title, address.city
    #[arg(long, value_name = "FIELD", requires = "id")]
    pub(crate) field: Option<String>,
    /// At most so many changes, the newest; without a record 100 unless given
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Print NDJSON on a terminal, too
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConflictsArgs {
    /// The store's file
    pub(crate) db: PathBuf,
    /// Only the records of this model
    pub(crate) model: Option<String>,
    /// Only the record of this id, or JSON object of its key fields
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: Option<String>,
    /// Print each record again whenever its conflicts change, without any once they are settled, until interrupted
    #[arg(long, conflicts_with = "id")]
    pub(crate) follow: bool,
    /// Print NDJSON on a terminal, too
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// The field, or path into an embedded value (`address.city`)
    pub(crate) field: String,
    /// The value as JSON, or `-` to read it from stdin
    #[arg(value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) value: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Check schema files: errors and warnings with line, column, excerpt and suggestion
    Check(SchemaCheckArgs),
    /// Say what opening a store with another schema means for its records
    Diff(SchemaDiffArgs),
    /// Print the Rust items that `models!` makes of a schema, for a build script or to be read
    ///
    /// In a build script, write them into OUT_DIR, and `include!` that file in a module of its own.
    Rust(SchemaFileArgs),
    /// Print TypeScript types of the JSON in which records are shown, saved and updated
    Typescript(SchemaFileArgs),
    /// Print a JSON Schema (draft 2020-12) of the records that `export` prints
    Json(SchemaFileArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SchemaCheckArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Refuse what would be a warning
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaDiffArgs {
    /// The schema that stores have now
    pub(crate) old: PathBuf,
    /// The schema that shall replace it
    pub(crate) new: PathBuf,
    /// Print the differences as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaFileArgs {
    /// The schema, in GraphQL SDL
    pub(crate) file: PathBuf,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let unreadable =
        || format!("`{text}` is no HOST:PORT; a good one is 127.0.0.1:4433, or [::]:4433 for all addresses");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(unreadable)?;
    let port: u16 = port.parse().map_err(|_| unreadable())?;
    if host.is_empty() || host.contains([':', '/']) {
        return Err(unreadable());
    }
    let mut found =
        (host, port).to_socket_addrs().map_err(|error| format!("the name `{host}` cannot be resolved: {error}"))?;
    found.next().ok_or_else(|| format!("the name `{host}` has no address"))
}

/// `none`, or `link=none`.
fn expand_rule(text: &str) -> Result<(Option<String>, syncline::Expand), String> {
    let (name, expand) = match text.rsplit_once('=') {
        Some((name, expand)) => (Some(name.to_owned()), expand),
        None => (None, text),
    };
    let expand = Expand::from_str(expand, false)
        .map_err(|_| format!("`{expand}` is none of before, after, both and none; a good one is `link=none`"))?;
    Ok((name, expand.into()))
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unreadable = || format!("`{text}` is no time; good ones are 500ms, 30s and 2m");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| unreadable())?;
    let seconds = match &text[digits..] {
        "ms" => number / 1000.0,
        "s" | "" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86_400.0,
        _ => return Err(unreadable()),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for bad in ["", "s", "-1s", "0s", "5 days", "1e400s", "1.2.3s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn listening_takes_addresses_and_names_and_says_what_a_good_one_is() {
        assert_eq!(listen_address("[::1]:0"), Ok(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0))));
        assert!(listen_address("localhost:4433").is_ok_and(|address| address.port() == 4433));
        for bad in ["4433", ":4433", "127.0.0.1", "127.0.0.1:99999", "http://localhost:80"] {
            let said = listen_address(bad).unwrap_err();
            assert!(said.contains("127.0.0.1:4433"), "{bad}: {said}");
        }
    }

    #[test]
    fn text_to_insert_and_numbers_to_add_may_begin_with_a_minus() {
        let parsed =
            Cli::try_parse_from(["syncline", "edit", "a.db", "Todo", "1", "body", "--at", "0", "--insert", "-x"]);
        assert!(parsed.is_ok(), "{parsed:?}");
        let parsed = Cli::try_parse_from(["syncline", "increment", "a.db", "Todo", "1", "votes", "-3"]).unwrap();
        assert!(matches!(parsed.command, Command::Increment(IncrementArgs { by: -3, .. })));
        assert!(Cli::try_parse_from(["syncline", "edit", "a.db", "Todo", "1", "body", "--at", "0"]).is_err());
    }
}
