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

/** Enum `Unit`. */
export type Unit = "DAY" | "WEEK" | "MONTH" | "YEAR";

/** Enum `Answer`. */
export type Answer = "OPEN" | "YES" | "NO" | "MAYBE";

/** Id of a Calendar. */
export type CalendarId = string;

/** A record of `Calendar`, named by `id`. */
export interface Calendar {
  /** `id: ID!`. Never changes. */
  id: CalendarId;
  /** `title: String!`. Null only if a schema that does not demand it wrote the record. */
  title: string | null;
  /** `color: String`, default `"#3366ff"` */
  color: string | null;
  /** `owners: [String]`. A list: merged element by element. */
  owners: (string | null)[] | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Calendar where another record refers to it. */
export interface CalendarKey {
  id: CalendarId;
}

/** What a save of a `Calendar` takes; fields left out get their default, or are null. */
export interface CalendarInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: CalendarId;
  /** `title: String!` */
  title: string;
  /** `color: String`, default `"#3366ff"` */
  color?: string | null;
  /** `owners: [String]` */
  owners?: (string | null)[] | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Calendar` takes; fields left out stay as they are. */
export interface CalendarPatch {
  /** `title: String!` */
  title?: string;
  /** `color: String`, default `"#3366ff"` */
  color?: string | null;
  /** `owners: [String]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  owners?: (string | null)[] | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Calendar` for each relation that it is asked to include. */
export interface CalendarRelations {
  /** The Event of a `@hasMany`. */
  events?: Event[];
}

/** Id of a Event. */
export type EventId = string;

/** A record of `Event`, named by `id`. */
export interface Event {
  /** `id: ID!`. Never changes. */
  id: EventId;
  /** `title: String!`. Null only if a schema that does not demand it wrote the record. */
  title: string | null;
  /**
   * `startsAt: AWSDateTime!`. `2024-05-31T17:30:00.000Z`; seconds may be missing, another offset may stand there. Null
   * only if a schema that does not demand it wrote the record.
   */
  startsAt: string | null;
  /**
   * `endsAt: AWSDateTime!`. `2024-05-31T17:30:00.000Z`; seconds may be missing, another offset may stand there. Null
   * only if a schema that does not demand it wrote the record.
   */
  endsAt: string | null;
  /** `allDay: Boolean!`, default `false`. Null only if a schema that does not demand it wrote the record. */
  allDay: boolean | null;
  /** `editors: [String]`. A list: merged element by element. */
  editors: (string | null)[] | null;
  /** `guests: [String]`. A list: merged element by element. */
  guests: (string | null)[] | null;
  /** `repeat: Repeat`. Merged field by field. */
  repeat: Repeat | null;
  /** `calendarEventsId: ID` */
  calendarEventsId: CalendarId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Event where another record refers to it. */
export interface EventKey {
  id: EventId;
}

/** What a save of a `Event` takes; fields left out get their default, or are null. */
export interface EventInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: EventId;
  /** `title: String!` */
  title: string;
  /** `startsAt: AWSDateTime!` */
  startsAt: string;
  /** `endsAt: AWSDateTime!` */
  endsAt: string;
  /** `allDay: Boolean!`, default `false` */
  allDay?: boolean | null;
  /** `editors: [String]` */
  editors?: (string | null)[] | null;
  /** `guests: [String]` */
  guests?: (string | null)[] | null;
  /** `repeat: Repeat` */
  repeat?: RepeatInput | null;
  /** `calendarEventsId: ID` */
  calendarEventsId?: CalendarId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `calendarEventsId`: the Calendar with this key. */
  calendar?: CalendarKey | null;
}

/** What an update of a `Event` takes; fields left out stay as they are. */
export interface EventPatch {
  /** `title: String!` */
  title?: string;
  /** `startsAt: AWSDateTime!` */
  startsAt?: string;
  /** `endsAt: AWSDateTime!` */
  endsAt?: string;
  /** `allDay: Boolean!`, default `false` */
  allDay?: boolean;
  /** `editors: [String]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  editors?: (string | null)[] | null;
  /** `guests: [String]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  guests?: (string | null)[] | null;
  /** `repeat: Repeat`. A patch itself: what it does not name stays. */
  repeat?: RepeatPatch | null;
  /** `calendarEventsId: ID` */
  calendarEventsId?: CalendarId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `calendarEventsId`: the Calendar with this key. */
  calendar?: CalendarKey | null;
}

/** What a query adds to a `Event` for each relation that it is asked to include. */
export interface EventRelations {
  /** The Calendar of a `@belongsTo`. Null also if the record that it refers to is not here. */
  calendar?: Calendar | null;
  /** The Invitation of a `@hasMany`. */
  invitations?: Invitation[];
}

/** Id of a Invitation. */
export type InvitationId = string;

/** A record of `Invitation`, named by `id`. */
export interface Invitation {
  /** `id: ID!`. Never changes. */
  id: InvitationId;
  /** `email: AWSEmail!`. An e-mail address. Null only if a schema that does not demand it wrote the record. */
  email: string | null;
  /** `answer: Answer`, default `"OPEN"` */
  answer: Answer | Unlisted | null;
  /** `eventInvitationsId: ID` */
  eventInvitationsId: EventId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Invitation where another record refers to it. */
export interface InvitationKey {
  id: InvitationId;
}

/** What a save of a `Invitation` takes; fields left out get their default, or are null. */
export interface InvitationInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: InvitationId;
  /** `email: AWSEmail!` */
  email: string;
  /** `answer: Answer`, default `"OPEN"` */
  answer?: Answer | null;
  /** `eventInvitationsId: ID` */
  eventInvitationsId?: EventId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `eventInvitationsId`: the Event with this key. */
  event?: EventKey | null;
}

/** What an update of a `Invitation` takes; fields left out stay as they are. */
export interface InvitationPatch {
  /** `email: AWSEmail!` */
  email?: string;
  /** `answer: Answer`, default `"OPEN"` */
  answer?: Answer | null;
  /** `eventInvitationsId: ID` */
  eventInvitationsId?: EventId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `eventInvitationsId`: the Event with this key. */
  event?: EventKey | null;
}

/** What a query adds to a `Invitation` for each relation that it is asked to include. */
export interface InvitationRelations {
  /** The Event of a `@belongsTo`. Null also if the record that it refers to is not here. */
  event?: Event | null;
}

/** A value of `Repeat`, as it is shown. */
export interface Repeat {
  /**
   * `every: Unit!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it.
   */
  every: Unit | Unlisted | null;
  /** `count: Int`, default `1` */
  count: number | null;
  /** `until: AWSDate`. `2024-05-31`, with or without an offset. */
  until: string | null;
  /** `weekdays: [Int!]`. A list: merged element by element. */
  weekdays: (number | null)[] | null;
}

/** A value of `Repeat`, as a save takes it. */
export interface RepeatInput {
  /** `every: Unit!` */
  every: Unit;
  /** `count: Int`, default `1` */
  count?: number | null;
  /** `until: AWSDate` */
  until?: string | null;
  /** `weekdays: [Int!]` */
  weekdays?: number[] | null;
}

/** What changes of a value of `Repeat`. Where there is none yet, it takes what a save does. */
export interface RepeatPatch {
  /** `every: Unit!` */
  every?: Unit;
  /** `count: Int`, default `1` */
  count?: number | null;
  /** `until: AWSDate` */
  until?: string | null;
  /** `weekdays: [Int!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  weekdays?: number[] | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Calendar & { __typename: "Calendar" })
  | (Event & { __typename: "Event" })
  | (Invitation & { __typename: "Invitation" });
