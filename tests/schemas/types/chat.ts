// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query` and `export` print records, the lines of `watch`
// hold them; `save` and `import` take inputs, `update` takes patches. A record has every field, absent ones as null. What
// the schema requires, a field or an element of a list, is null too where a schema that does not require it has written:
// an older one, or a newer one. Integers have 64 bits: `JSON.parse` rounds those beyond 2^53.

/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Id of a Room. */
export type RoomId = string;

/** A record of `Room`, named by `id`. */
export interface Room {
  /** `id: ID!`. Never changes. */
  id: RoomId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `topic: String` */
  topic: string | null;
  /**
   * `members: [String]!`. A list: merged element by element. Null only if a schema that does not demand it wrote the
   * record.
   */
  members: (string | null)[] | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Room where another record refers to it. */
export interface RoomKey {
  id: RoomId;
}

/** What a save of a `Room` takes; fields left out get their default, or are null. */
export interface RoomInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: RoomId;
  /** `name: String!` */
  name: string;
  /** `topic: String` */
  topic?: string | null;
  /** `members: [String]!` */
  members: (string | null)[];
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Room` takes; fields left out stay as they are. */
export interface RoomPatch {
  /** `name: String!` */
  name?: string;
  /** `topic: String` */
  topic?: string | null;
  /** `members: [String]!`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  members?: (string | null)[];
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Room` for each relation that it is asked to include. */
export interface RoomRelations {
  /** The Message of a `@hasMany`. */
  messages?: Message[];
}

/** Id of a Message. */
export type MessageId = string;

/** A record of `Message`, named by `id`. */
export interface Message {
  /** `id: ID!`. Never changes. */
  id: MessageId;
  /** `roomID: ID!`. Null only if a schema that does not demand it wrote the record. */
  roomID: RoomId | null;
  /** `text: String!`. Null only if a schema that does not demand it wrote the record. */
  text: string | null;
  /** `attachments: [Attachment]`. A list: merged element by element. */
  attachments: (Attachment | null)[] | null;
  /** `reactions: [String!]`. A list: merged element by element. */
  reactions: (string | null)[] | null;
  /** `createdAt: String!`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `messageReplyToId: ID` */
  messageReplyToId: MessageId | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Message where another record refers to it. */
export interface MessageKey {
  id: MessageId;
}

/** What a save of a `Message` takes; fields left out get their default, or are null. */
export interface MessageInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: MessageId;
  /** `roomID: ID!` */
  roomID: RoomId;
  /** `text: String!` */
  text: string;
  /** `attachments: [Attachment]` */
  attachments?: (AttachmentInput | null)[] | null;
  /** `reactions: [String!]` */
  reactions?: string[] | null;
  /** `createdAt: String!`. Kept if it is given. */
  createdAt?: string;
  /** `messageReplyToId: ID` */
  messageReplyToId?: MessageId | null;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `messageReplyToId`: the Message with this key. */
  replyTo?: MessageKey | null;
}

/** What an update of a `Message` takes; fields left out stay as they are. */
export interface MessagePatch {
  /** `roomID: ID!` */
  roomID?: RoomId;
  /** `text: String!` */
  text?: string;
  /** `attachments: [Attachment]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  attachments?: (AttachmentInput | null)[] | null;
  /** `reactions: [String!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  reactions?: string[] | null;
  /** `createdAt: String!`. Shown from then on, instead of the time of the first change. */
  createdAt?: string;
  /** `messageReplyToId: ID` */
  messageReplyToId?: MessageId | null;
  /** `owner: String` */
  owner?: string | null;
  /** In place of `messageReplyToId`: the Message with this key. */
  replyTo?: MessageKey | null;
}

/** What a query adds to a `Message` for each relation that it is asked to include. */
export interface MessageRelations {
  /** The Message of a `@hasOne`. Null also if the record that it refers to is not here. */
  replyTo?: Message | null;
}

/** A value of `Attachment`, as it is shown. */
export interface Attachment {
  /**
   * `url: AWSURL!`. A URL. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied
   * it.
   */
  url: string | null;
  /**
   * `mimeType: String!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied
   * it.
   */
  mimeType: string | null;
  /** `bytes: Int` */
  bytes: number | null;
}

/** A value of `Attachment`, as a save takes it. */
export interface AttachmentInput {
  /** `url: AWSURL!` */
  url: string;
  /** `mimeType: String!` */
  mimeType: string;
  /** `bytes: Int` */
  bytes?: number | null;
}

/** What changes of a value of `Attachment`. Where there is none yet, it takes what a save does. */
export interface AttachmentPatch {
  /** `url: AWSURL!` */
  url?: string;
  /** `mimeType: String!` */
  mimeType?: string;
  /** `bytes: Int` */
  bytes?: number | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Room & { __typename: "Room" })
  | (Message & { __typename: "Message" });
