// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query` and `export` print records, the lines of `watch`
// hold them; `save` and `import` take inputs, `update` takes patches. A record has every field, absent ones as null. What
// the schema requires, a field or an element of a list, is null too where a schema that does not require it has written:
// an older one, or a newer one. Integers have 64 bits: `JSON.parse` rounds those beyond 2^53.

/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Id of a Todo. */
export type TodoId = string;

/** A record of `Todo`, named by `id`. */
export interface Todo {
  /** `id: ID!`. Never changes. */
  id: TodoId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `description: String` */
  description: string | null;
  /** `done: Boolean!`, default `false`. Null only if a schema that does not demand it wrote the record. */
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
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}
