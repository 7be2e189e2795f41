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
export type Unit = "MMHG" | "BPM" | "CELSIUS" | "MMOL";

/** Id of a Patient. */
export type PatientId = string;

/** A record of `Patient`, named by `id`. */
export interface Patient {
  /** `id: ID!`. Never changes. */
  id: PatientId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /**
   * `born: AWSDate!`. `2024-05-31`, with or without an offset. Null only if a schema that does not demand it wrote the
   * record.
   */
  born: string | null;
  /** `insurance: String` */
  insurance: string | null;
  /** `phone: AWSPhone`. A telephone number. */
  phone: string | null;
  /** `allergies: [String!]`. A list: merged element by element. */
  allergies: (string | null)[] | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Patient where another record refers to it. */
export interface PatientKey {
  id: PatientId;
}

/** What a save of a `Patient` takes; fields left out get their default, or are null. */
export interface PatientInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: PatientId;
  /** `name: String!` */
  name: string;
  /** `born: AWSDate!` */
  born: string;
  /** `insurance: String` */
  insurance?: string | null;
  /** `phone: AWSPhone` */
  phone?: string | null;
  /** `allergies: [String!]` */
  allergies?: string[] | null;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Patient` takes; fields left out stay as they are. */
export interface PatientPatch {
  /** `name: String!` */
  name?: string;
  /** `born: AWSDate!` */
  born?: string;
  /** `insurance: String` */
  insurance?: string | null;
  /** `phone: AWSPhone` */
  phone?: string | null;
  /** `allergies: [String!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  allergies?: string[] | null;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Patient` for each relation that it is asked to include. */
export interface PatientRelations {
  /** The Measurement of a `@hasMany`. */
  measurements?: Measurement[];
}

/** A record of `Measurement`, named by `patientID` and `kind` and `takenAt`. */
export interface Measurement {
  /** `patientID: ID!` */
  patientID: PatientId;
  /** `kind: String!` */
  kind: string;
  /** `takenAt: AWSTimestamp!`. Seconds since 1970. */
  takenAt: number;
  /** `device: String`. Whose record it is. */
  device: string | null;
  /** `value: Float!`. Null only if a schema that does not demand it wrote the record. */
  value: number | null;
  /** `unit: Unit!`. Null only if a schema that does not demand it wrote the record. */
  unit: Unit | Unlisted | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Measurement: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface MeasurementKey {
  patientID: PatientId;
  kind: string;
  takenAt: number;
}

/** What a save of a `Measurement` takes; fields left out get their default, or are null. */
export interface MeasurementInput {
  /** `patientID: ID!` */
  patientID?: PatientId;
  /** `kind: String!` */
  kind: string;
  /** `takenAt: AWSTimestamp!` */
  takenAt: number;
  /** `device: String`. Kept if it is given. */
  device?: string | null;
  /** `value: Float!` */
  value: number;
  /** `unit: Unit!` */
  unit: Unit;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `patientID`: the Patient with this key. */
  patient?: PatientKey;
}

/** What an update of a `Measurement` takes; fields left out stay as they are. */
export interface MeasurementPatch {
  /** `device: String` */
  device?: string | null;
  /** `value: Float!` */
  value?: number;
  /** `unit: Unit!` */
  unit?: Unit;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Measurement` for each relation that it is asked to include. */
export interface MeasurementRelations {
  /** The Patient of a `@belongsTo`. Null also if the record that it refers to is not here. */
  patient?: Patient | null;
}

/** Id of a Appointment. */
export type AppointmentId = string;

/** A record of `Appointment`, named by `id`. */
export interface Appointment {
  /** `id: ID!`. Never changes. */
  id: AppointmentId;
  /**
   * `at: AWSDateTime!`. `2024-05-31T17:30:00.000Z`; seconds may be missing, another offset may stand there. Null only
   * if a schema that does not demand it wrote the record.
   */
  at: string | null;
  /** `minutes: Int!`, default `20`. Null only if a schema that does not demand it wrote the record. */
  minutes: number | null;
  /** `staff: String` */
  staff: string | null;
  /** `appointmentPatientId: ID!`. Null only if a schema that does not demand it wrote the record. */
  appointmentPatientId: PatientId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Appointment where another record refers to it. */
export interface AppointmentKey {
  id: AppointmentId;
}

/** What a save of a `Appointment` takes; fields left out get their default, or are null. */
export interface AppointmentInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: AppointmentId;
  /** `at: AWSDateTime!` */
  at: string;
  /** `minutes: Int!`, default `20` */
  minutes?: number | null;
  /** `staff: String` */
  staff?: string | null;
  /** `appointmentPatientId: ID!` */
  appointmentPatientId?: PatientId;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `appointmentPatientId`: the Patient with this key. */
  patient?: PatientKey;
}

/** What an update of a `Appointment` takes; fields left out stay as they are. */
export interface AppointmentPatch {
  /** `at: AWSDateTime!` */
  at?: string;
  /** `minutes: Int!`, default `20` */
  minutes?: number;
  /** `staff: String` */
  staff?: string | null;
  /** `appointmentPatientId: ID!` */
  appointmentPatientId?: PatientId;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `appointmentPatientId`: the Patient with this key. */
  patient?: PatientKey;
}

/** What a query adds to a `Appointment` for each relation that it is asked to include. */
export interface AppointmentRelations {
  /** The Patient of a `@hasOne`. Null also if the record that it refers to is not here. */
  patient?: Patient | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Patient & { __typename: "Patient" })
  | (Measurement & { __typename: "Measurement" })
  | (Appointment & { __typename: "Appointment" });
