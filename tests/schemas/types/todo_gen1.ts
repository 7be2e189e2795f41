// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query`, `watch` and `export` print records; `save` and
// `import` take inputs, `update` takes patches. A record has every field, absent ones as null. A required field is null
// too where the record is older than the field and was not saved since. Integers have 64 bits: `JSON.parse` rounds those
// beyond 2^53.

/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Id of a Todo. */
export type TodoId = string;

/** A record of `Todo`, named by `id`. */
export interface Todo {
  /** `id: ID!`. Never changes. */
  id: TodoId;
  /** `name: String!`. Null only where the record is older than the field. */
  name: string | null;
  /** `description: String` */
  description: string | null;
  /** `done: Boolean!`, default `false`. Null only where the record is older than the field. */
  done: boolean | null;
  /** `priority: Int`, default `3` */
  priority: number | null;
  /** `due: AWSDate`. `2024-05-31`, with or without an offset. */
  due: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Todo where another record refers to it. */
export interface TodoKey {
  id: TodoId;
}

/** What a save of a `Todo` takes; fields left out get their default, or are null. */
export interface TodoInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: TodoId;
  /** `name: String!` */
  name: string;
  /** `description: String` */
  description?: string | null;
  /** `done: Boolean!`, default `false` */
  done?: boolean | null;
  /** `priority: Int`, default `3` */
  priority?: number | null;
  /** `due: AWSDate` */
  due?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Todo` takes; fields left out stay as they are. */
export interface TodoPatch {
  /** `name: String!` */
  name?: string;
  /** `description: String` */
  description?: string | null;
  /** `done: Boolean!`, default `false` */
  done?: boolean;
  /** `priority: Int`, default `3` */
  priority?: number | null;
  /** `due: AWSDate` */
  due?: string | null;
}
