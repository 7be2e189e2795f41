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

/** Enum `VisitState`. */
export type VisitState = "PLANNED" | "ON_SITE" | "DONE" | "CANCELLED";

/** Id of a Site. */
export type SiteId = string;

/** A record of `Site`, named by `id`. */
export interface Site {
  /** `id: ID!`. Never changes. */
  id: SiteId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `gateway: AWSIPAddress`. An IP address, of version 4 or 6, with or without the length of a prefix. */
  gateway: string | null;
  /** `location: Location!`. Merged field by field. Null only if a schema that does not demand it wrote the record. */
  location: Location | null;
  /** `contact: Contact`. Merged field by field. */
  contact: Contact | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Site where another record refers to it. */
export interface SiteKey {
  id: SiteId;
}

/** What a save of a `Site` takes; fields left out get their default, or are null. */
export interface SiteInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: SiteId;
  /** `name: String!` */
  name: string;
  /** `gateway: AWSIPAddress` */
  gateway?: string | null;
  /** `location: Location!` */
  location: LocationInput;
  /** `contact: Contact` */
  contact?: ContactInput | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Site` takes; fields left out stay as they are. */
export interface SitePatch {
  /** `name: String!` */
  name?: string;
  /** `gateway: AWSIPAddress` */
  gateway?: string | null;
  /** `location: Location!`. A patch itself: what it does not name stays. */
  location?: LocationPatch;
  /** `contact: Contact`. A patch itself: what it does not name stays. */
  contact?: ContactPatch | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Site` for each relation that it is asked to include. */
export interface SiteRelations {
  /** The Machine of a `@hasMany`. */
  machines?: Machine[];
}

/** A record of `Machine`, named by `serial`. */
export interface Machine {
  /** `serial: String!` */
  serial: string;
  /**
   * `installed: AWSDate!`. `2024-05-31`, with or without an offset. Null only if a schema that does not demand it wrote
   * the record.
   */
  installed: string | null;
  /** `manual: AWSURL`. A URL. */
  manual: string | null;
  /** `settings: AWSJSON`. Any JSON; a string is JSON text itself. */
  settings: Json | null;
  /** `siteMachinesId: ID` */
  siteMachinesId: SiteId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Machine: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface MachineKey {
  serial: string;
}

/** What a save of a `Machine` takes; fields left out get their default, or are null. */
export interface MachineInput {
  /** `serial: String!` */
  serial: string;
  /** `installed: AWSDate!` */
  installed: string;
  /** `manual: AWSURL` */
  manual?: string | null;
  /** `settings: AWSJSON` */
  settings?: Json | null;
  /** `siteMachinesId: ID` */
  siteMachinesId?: SiteId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `siteMachinesId`: the Site with this key. */
  site?: SiteKey | null;
}

/** What an update of a `Machine` takes; fields left out stay as they are. */
export interface MachinePatch {
  /** `installed: AWSDate!` */
  installed?: string;
  /** `manual: AWSURL` */
  manual?: string | null;
  /** `settings: AWSJSON` */
  settings?: Json | null;
  /** `siteMachinesId: ID` */
  siteMachinesId?: SiteId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `siteMachinesId`: the Site with this key. */
  site?: SiteKey | null;
}

/** What a query adds to a `Machine` for each relation that it is asked to include. */
export interface MachineRelations {
  /** The Site of a `@belongsTo`. Null also if the record that it refers to is not here. */
  site?: Site | null;
  /** The Visit of a `@hasMany`. */
  visits?: Visit[];
}

/** Id of a Visit. */
export type VisitId = string;

/** A record of `Visit`, named by `id`. */
export interface Visit {
  /** `id: ID!`. Never changes. */
  id: VisitId;
  /** `technician: String`. Whose record it is. */
  technician: string | null;
  /** `machineSerial: String!`. Null only if a schema that does not demand it wrote the record. */
  machineSerial: string | null;
  /**
   * `day: AWSDate!`. `2024-05-31`, with or without an offset. Null only if a schema that does not demand it wrote the
   * record.
   */
  day: string | null;
  /**
   * `startsAt: AWSTime!`. `17:30`, `17:30:00` or `17:30:00.000`, with or without an offset. Null only if a schema that
   * does not demand it wrote the record.
   */
  startsAt: string | null;
  /** `endsAt: AWSTime`. `17:30`, `17:30:00` or `17:30:00.000`, with or without an offset. */
  endsAt: string | null;
  /** `report: AWSJSON`. Any JSON; a string is JSON text itself. */
  report: Json | null;
  /** `photos: [String]`. A list: merged element by element. */
  photos: (string | null)[] | null;
  /** `state: VisitState!`, default `"PLANNED"`. Null only if a schema that does not demand it wrote the record. */
  state: VisitState | Unlisted | null;
  /** `readings: [Reading!]`. A list: merged element by element. */
  readings: (Reading | null)[] | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Visit where another record refers to it. */
export interface VisitKey {
  id: VisitId;
}

/** What a save of a `Visit` takes; fields left out get their default, or are null. */
export interface VisitInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: VisitId;
  /** `technician: String`. Kept if it is given. */
  technician?: string | null;
  /** `machineSerial: String!` */
  machineSerial?: string;
  /** `day: AWSDate!` */
  day: string;
  /** `startsAt: AWSTime!` */
  startsAt: string;
  /** `endsAt: AWSTime` */
  endsAt?: string | null;
  /** `report: AWSJSON` */
  report?: Json | null;
  /** `photos: [String]` */
  photos?: (string | null)[] | null;
  /** `state: VisitState!`, default `"PLANNED"` */
  state?: VisitState | null;
  /** `readings: [Reading!]` */
  readings?: ReadingInput[] | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `machineSerial`: the Machine with this key. */
  machine?: MachineKey;
}

/** What an update of a `Visit` takes; fields left out stay as they are. */
export interface VisitPatch {
  /** `technician: String` */
  technician?: string | null;
  /** `machineSerial: String!` */
  machineSerial?: string;
  /** `day: AWSDate!` */
  day?: string;
  /** `startsAt: AWSTime!` */
  startsAt?: string;
  /** `endsAt: AWSTime` */
  endsAt?: string | null;
  /** `report: AWSJSON` */
  report?: Json | null;
  /** `photos: [String]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  photos?: (string | null)[] | null;
  /** `state: VisitState!`, default `"PLANNED"` */
  state?: VisitState;
  /** `readings: [Reading!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  readings?: ReadingInput[] | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `machineSerial`: the Machine with this key. */
  machine?: MachineKey;
}

/** What a query adds to a `Visit` for each relation that it is asked to include. */
export interface VisitRelations {
  /** The Machine of a `@belongsTo`. Null also if the record that it refers to is not here. */
  machine?: Machine | null;
}

/** A value of `Reading`, as it is shown. */
export interface Reading {
  /** `sensor: ID!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it. */
  sensor: string | null;
  /**
   * `value: Float!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it.
   */
  value: number | null;
  /**
   * `at: AWSTimestamp!`. Seconds since 1970. Null only if a schema that does not demand it wrote the value, or a
   * concurrent edit emptied it.
   */
  at: number | null;
}

/** A value of `Reading`, as a save takes it. */
export interface ReadingInput {
  /** `sensor: ID!` */
  sensor: string;
  /** `value: Float!` */
  value: number;
  /** `at: AWSTimestamp!` */
  at: number;
}

/** What changes of a value of `Reading`. Where there is none yet, it takes what a save does. */
export interface ReadingPatch {
  /** `sensor: ID!` */
  sensor?: string;
  /** `value: Float!` */
  value?: number;
  /** `at: AWSTimestamp!` */
  at?: number;
}

/** A value of `Location`, as it is shown. */
export interface Location {
  /** `lat: Float!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it. */
  lat: number | null;
  /** `lon: Float!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it. */
  lon: number | null;
}

/** A value of `Location`, as a save takes it. */
export interface LocationInput {
  /** `lat: Float!` */
  lat: number;
  /** `lon: Float!` */
  lon: number;
}

/** What changes of a value of `Location`. Where there is none yet, it takes what a save does. */
export interface LocationPatch {
  /** `lat: Float!` */
  lat?: number;
  /** `lon: Float!` */
  lon?: number;
}

/** A value of `Contact`, as it is shown. */
export interface Contact {
  /** `name: String` */
  name: string | null;
  /** `phone: AWSPhone`. A telephone number. */
  phone: string | null;
  /** `email: AWSEmail`. An e-mail address. */
  email: string | null;
}

/** A value of `Contact`, as a save takes it. */
export interface ContactInput {
  /** `name: String` */
  name?: string | null;
  /** `phone: AWSPhone` */
  phone?: string | null;
  /** `email: AWSEmail` */
  email?: string | null;
}

/** What changes of a value of `Contact`. Where there is none yet, it takes what a save does. */
export interface ContactPatch {
  /** `name: String` */
  name?: string | null;
  /** `phone: AWSPhone` */
  phone?: string | null;
  /** `email: AWSEmail` */
  email?: string | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Site & { __typename: "Site" })
  | (Machine & { __typename: "Machine" })
  | (Visit & { __typename: "Visit" });
