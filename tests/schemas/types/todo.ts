// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query` and `export` print records, the lines of `watch`
// hold them; `save` and `import` take inputs, `update` takes patches. A record has every field, absent ones as null. What
// the schema requires, a field or an element of a list, is null too where a schema that does not require it has written:
// an older one, or a newer one. Integers have 64 bits: `JSON.parse` rounds those beyond 2^53.

/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A value of an enum that this schema does not list: a newer one does. */
export type Unlisted = string & {};

/** What a search adds to each record that it finds. */
export interface Found {
  /** The greater the better; comparable within one result. */
  "~score": number;
  /** Where the words stand; not escaped for HTML. */
  "~snippet": string;
}

/** Enum `Mood`. */
export type Mood = "KEEN" | "TIRED";

/** Id of a Task. */
export type TaskId = string;

/** A record of `Task`, named by `id`. An edit wins over a concurrent delete. */
export interface Task {
  /** `id: ID!`. Never changes. */
  id: TaskId;
  /** `heading: String!`. Null only if a schema that does not demand it wrote the record. */
  heading: string | null;
  /**
   * `notes: String @text(rich: true)`. A collaborative text: merged character by character; `spans` shows its marks.
   */
  notes: string | null;
  /** `summary: String @text`. A collaborative text: merged character by character. */
  summary: string | null;
  /** `minutesSpent: Int! @counter`, default `0`. A counter: what replicas add at the same time adds up. */
  minutesSpent: number;
  /**
   * `labels: [String!] @set`. A set: each value once, in their order; what is added stays against a concurrent removal.
   */
  labels: string[];
  /**
   * `moods: [Mood] @set`. A set: each value once, in their order; what is added stays against a concurrent removal.
   */
  moods: (Mood | Unlisted)[];
  /** `steps: [Step!]`. A list: merged element by element. */
  steps: (Step | null)[] | null;
  /** `priority: Int`. Of concurrent values the greatest shows. */
  priority: number | null;
  /** `due: AWSDate`. `2024-05-31`, with or without an offset. Of concurrent values the smallest shows. */
  due: string | null;
  /** `mood: Mood`. Of concurrent values the one with the newest time shows. */
  mood: Mood | Unlisted | null;
  /** `place: Place`. Merged field by field. */
  place: Place | null;
  /** `done: Boolean!`, default `false`. Null only if a schema that does not demand it wrote the record. */
  done: boolean | null;
  /** `listTasksId: ID` */
  listTasksId: ListId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Task where another record refers to it. */
export interface TaskKey {
  id: TaskId;
}

/** What a save of a `Task` takes; fields left out get their default, or are null. */
export interface TaskInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: TaskId;
  /** `heading: String!` */
  heading: string;
  /** `notes: String @text(rich: true)` */
  notes?: string | null;
  /** `summary: String @text` */
  summary?: string | null;
  /** `minutesSpent: Int! @counter`, default `0` */
  minutesSpent?: number;
  /** `labels: [String!] @set` */
  labels?: string[];
  /** `moods: [Mood] @set` */
  moods?: Mood[];
  /** `steps: [Step!]` */
  steps?: StepInput[] | null;
  /** `priority: Int` */
  priority?: number | null;
  /** `due: AWSDate` */
  due?: string | null;
  /** `mood: Mood` */
  mood?: Mood | null;
  /** `place: Place` */
  place?: PlaceInput | null;
  /** `done: Boolean!`, default `false` */
  done?: boolean | null;
  /** `listTasksId: ID` */
  listTasksId?: ListId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `listTasksId`: the List with this key. */
  list?: ListKey | null;
}

/** What an update of a `Task` takes; fields left out stay as they are. */
export interface TaskPatch {
  /** `heading: String!` */
  heading?: string;
  /**
   * `notes: String @text(rich: true)`. Changed by the difference, so that concurrent edits elsewhere in it survive.
   */
  notes?: string | null;
  /** `summary: String @text`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  summary?: string | null;
  /** `minutesSpent: Int! @counter`, default `0`. Adds what is missing to this number; to count, use `increment`. */
  minutesSpent?: number;
  /** `labels: [String!] @set`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  labels?: string[];
  /** `moods: [Mood] @set`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  moods?: Mood[];
  /** `steps: [Step!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  steps?: StepInput[] | null;
  /** `priority: Int` */
  priority?: number | null;
  /** `due: AWSDate` */
  due?: string | null;
  /** `mood: Mood` */
  mood?: Mood | null;
  /** `place: Place`. A patch itself: what it does not name stays. */
  place?: PlacePatch | null;
  /** `done: Boolean!`, default `false` */
  done?: boolean;
  /** `listTasksId: ID` */
  listTasksId?: ListId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `listTasksId`: the List with this key. */
  list?: ListKey | null;
}

/** What a query adds to a `Task` for each relation that it is asked to include. */
export interface TaskRelations {
  /** The List of a `@belongsTo`. Null also if the record that it refers to is not here. */
  list?: List | null;
}

/** Id of a List. */
export type ListId = string;

/** A record of `List`, named by `id`. */
export interface List {
  /** `id: ID!`. Never changes. */
  id: ListId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a List where another record refers to it. */
export interface ListKey {
  id: ListId;
}

/** What a save of a `List` takes; fields left out get their default, or are null. */
export interface ListInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: ListId;
  /** `name: String!` */
  name: string;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `List` takes; fields left out stay as they are. */
export interface ListPatch {
  /** `name: String!` */
  name?: string;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `List` for each relation that it is asked to include. */
export interface ListRelations {
  /** The Task of a `@hasMany`. */
  tasks?: Task[];
}

/** A record of `Draft`, named by `key`. It never leaves the device. */
export interface Draft {
  /** `key: String!` */
  key: string;
  /** `body: String` */
  body: string | null;
}

/** What names a Draft: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface DraftKey {
  key: string;
}

/** What a save of a `Draft` takes; fields left out get their default, or are null. */
export interface DraftInput {
  /** `key: String!` */
  key: string;
  /** `body: String` */
  body?: string | null;
}

/** What an update of a `Draft` takes; fields left out stay as they are. */
export interface DraftPatch {
  /** `body: String` */
  body?: string | null;
}

/** A value of `Step`, as it is shown. */
export interface Step {
  /**
   * `text: String!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it.
   */
  text: string | null;
  /** `done: Boolean`, default `false` */
  done: boolean | null;
}

/** A value of `Step`, as a save takes it. */
export interface StepInput {
  /** `text: String!` */
  text: string;
  /** `done: Boolean`, default `false` */
  done?: boolean | null;
}

/** What changes of a value of `Step`. Where there is none yet, it takes what a save does. */
export interface StepPatch {
  /** `text: String!` */
  text?: string;
  /** `done: Boolean`, default `false` */
  done?: boolean | null;
}

/** A value of `Place`, as it is shown. */
export interface Place {
  /** `name: String` */
  name: string | null;
  /** `url: AWSURL`. A URL. */
  url: string | null;
  /** `position: Position`. Merged field by field. */
  position: Position | null;
}

/** A value of `Place`, as a save takes it. */
export interface PlaceInput {
  /** `name: String` */
  name?: string | null;
  /** `url: AWSURL` */
  url?: string | null;
  /** `position: Position` */
  position?: PositionInput | null;
}

/** What changes of a value of `Place`. Where there is none yet, it takes what a save does. */
export interface PlacePatch {
  /** `name: String` */
  name?: string | null;
  /** `url: AWSURL` */
  url?: string | null;
  /** `position: Position`. A patch itself: what it does not name stays. */
  position?: PositionPatch | null;
}

/** A value of `Position`, as it is shown. */
export interface Position {
  /** `lat: Float`. Of concurrent values the one with the newest time shows. */
  lat: number | null;
  /** `lon: Float`. Of concurrent values the one with the newest time shows. */
  lon: number | null;
}

/** A value of `Position`, as a save takes it. */
export interface PositionInput {
  /** `lat: Float` */
  lat?: number | null;
  /** `lon: Float` */
  lon?: number | null;
}

/** What changes of a value of `Position`. Where there is none yet, it takes what a save does. */
export interface PositionPatch {
  /** `lat: Float` */
  lat?: number | null;
  /** `lon: Float` */
  lon?: number | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Task & { __typename: "Task" })
  | (List & { __typename: "List" })
  | (Draft & { __typename: "Draft" });
