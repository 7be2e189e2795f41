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

/** Enum `Visibility`. */
export type Visibility = "PUBLIC" | "FRIENDS" | "NOBODY";

/** Id of a Profile. */
export type ProfileId = string;

/** A record of `Profile`, named by `id`. */
export interface Profile {
  /** `id: ID!`. Never changes. */
  id: ProfileId;
  /** `handle: String!`. Null only if a schema that does not demand it wrote the record. */
  handle: string | null;
  /** `displayName: String` */
  displayName: string | null;
  /** `bio: String` */
  bio: string | null;
  /** `birthday: AWSDate`. `2024-05-31`, with or without an offset. */
  birthday: string | null;
  /** `links: [AWSURL]`. A list: merged element by element. */
  links: (string | null)[] | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Profile where another record refers to it. */
export interface ProfileKey {
  id: ProfileId;
}

/** What a save of a `Profile` takes; fields left out get their default, or are null. */
export interface ProfileInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: ProfileId;
  /** `handle: String!` */
  handle: string;
  /** `displayName: String` */
  displayName?: string | null;
  /** `bio: String` */
  bio?: string | null;
  /** `birthday: AWSDate` */
  birthday?: string | null;
  /** `links: [AWSURL]` */
  links?: (string | null)[] | null;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Profile` takes; fields left out stay as they are. */
export interface ProfilePatch {
  /** `handle: String!` */
  handle?: string;
  /** `displayName: String` */
  displayName?: string | null;
  /** `bio: String` */
  bio?: string | null;
  /** `birthday: AWSDate` */
  birthday?: string | null;
  /** `links: [AWSURL]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  links?: (string | null)[] | null;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Profile` for each relation that it is asked to include. */
export interface ProfileRelations {
  /** The Status of a `@hasMany`. */
  posts?: Status[];
  /** The Follow of a `@hasMany`. */
  following?: Follow[];
  /** The Follow of a `@hasMany`. */
  followers?: Follow[];
  /** The Circle of a `@manyToMany`. */
  groups?: Circle[];
}

/** Id of a Follow. */
export type FollowId = string;

/** A record of `Follow`, named by `id`. */
export interface Follow {
  /** `id: ID!`. Never changes. */
  id: FollowId;
  /** `followerID: ID!`. Null only if a schema that does not demand it wrote the record. */
  followerID: ProfileId | null;
  /** `followedID: ID!`. Null only if a schema that does not demand it wrote the record. */
  followedID: ProfileId | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Follow where another record refers to it. */
export interface FollowKey {
  id: FollowId;
}

/** What a save of a `Follow` takes; fields left out get their default, or are null. */
export interface FollowInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: FollowId;
  /** `followerID: ID!` */
  followerID?: ProfileId;
  /** `followedID: ID!` */
  followedID?: ProfileId;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `followerID`: the Profile with this key. */
  follower?: ProfileKey;
  /** In place of `followedID`: the Profile with this key. */
  followed?: ProfileKey;
}

/** What an update of a `Follow` takes; fields left out stay as they are. */
export interface FollowPatch {
  /** `followerID: ID!` */
  followerID?: ProfileId;
  /** `followedID: ID!` */
  followedID?: ProfileId;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `followerID`: the Profile with this key. */
  follower?: ProfileKey;
  /** In place of `followedID`: the Profile with this key. */
  followed?: ProfileKey;
}

/** What a query adds to a `Follow` for each relation that it is asked to include. */
export interface FollowRelations {
  /** The Profile of a `@belongsTo`. Null also if the record that it refers to is not here. */
  follower?: Profile | null;
  /** The Profile of a `@belongsTo`. Null also if the record that it refers to is not here. */
  followed?: Profile | null;
}

/** Id of a Status. */
export type StatusId = string;

/** A record of `Status`, named by `id`. */
export interface Status {
  /** `id: ID!`. Never changes. */
  id: StatusId;
  /** `authorID: ID!`. Null only if a schema that does not demand it wrote the record. */
  authorID: ProfileId | null;
  /** `text: String!`. Null only if a schema that does not demand it wrote the record. */
  text: string | null;
  /**
   * `visibility: Visibility!`, default `"FRIENDS"`. Null only if a schema that does not demand it wrote the record.
   */
  visibility: Visibility | Unlisted | null;
  /** `createdAt: AWSDateTime!`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Status where another record refers to it. */
export interface StatusKey {
  id: StatusId;
}

/** What a save of a `Status` takes; fields left out get their default, or are null. */
export interface StatusInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: StatusId;
  /** `authorID: ID!` */
  authorID?: ProfileId;
  /** `text: String!` */
  text: string;
  /** `visibility: Visibility!`, default `"FRIENDS"` */
  visibility?: Visibility | null;
  /** `createdAt: AWSDateTime!`. Kept if it is given. */
  createdAt?: string;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `authorID`: the Profile with this key. */
  author?: ProfileKey;
}

/** What an update of a `Status` takes; fields left out stay as they are. */
export interface StatusPatch {
  /** `authorID: ID!` */
  authorID?: ProfileId;
  /** `text: String!` */
  text?: string;
  /** `visibility: Visibility!`, default `"FRIENDS"` */
  visibility?: Visibility;
  /** `createdAt: AWSDateTime!`. Shown from then on, instead of the time of the first change. */
  createdAt?: string;
  /** `owner: String` */
  owner?: string | null;
  /** In place of `authorID`: the Profile with this key. */
  author?: ProfileKey;
}

/** What a query adds to a `Status` for each relation that it is asked to include. */
export interface StatusRelations {
  /** The Profile of a `@belongsTo`. Null also if the record that it refers to is not here. */
  author?: Profile | null;
  /** The Like of a `@hasMany`. */
  likes?: Like[];
}

/** Id of a Like. */
export type LikeId = string;

/** A record of `Like`, named by `id`. */
export interface Like {
  /** `id: ID!`. Never changes. */
  id: LikeId;
  /** `statusId: ID!`. Null only if a schema that does not demand it wrote the record. */
  statusId: string | null;
  /** `statusLikesId: ID` */
  statusLikesId: StatusId | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Like where another record refers to it. */
export interface LikeKey {
  id: LikeId;
}

/** What a save of a `Like` takes; fields left out get their default, or are null. */
export interface LikeInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: LikeId;
  /** `statusId: ID!` */
  statusId: string;
  /** `statusLikesId: ID` */
  statusLikesId?: StatusId | null;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `statusLikesId`: the Status with this key. */
  status?: StatusKey | null;
}

/** What an update of a `Like` takes; fields left out stay as they are. */
export interface LikePatch {
  /** `statusId: ID!` */
  statusId?: string;
  /** `statusLikesId: ID` */
  statusLikesId?: StatusId | null;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `statusLikesId`: the Status with this key. */
  status?: StatusKey | null;
}

/** What a query adds to a `Like` for each relation that it is asked to include. */
export interface LikeRelations {
  /** The Status of a `@belongsTo`. Null also if the record that it refers to is not here. */
  status?: Status | null;
}

/** Id of a Circle. */
export type CircleId = string;

/** A record of `Circle`, named by `id`. */
export interface Circle {
  /** `id: ID!`. Never changes. */
  id: CircleId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Circle where another record refers to it. */
export interface CircleKey {
  id: CircleId;
}

/** What a save of a `Circle` takes; fields left out get their default, or are null. */
export interface CircleInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: CircleId;
  /** `name: String!` */
  name: string;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Circle` takes; fields left out stay as they are. */
export interface CirclePatch {
  /** `name: String!` */
  name?: string;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Circle` for each relation that it is asked to include. */
export interface CircleRelations {
  /** The Profile of a `@manyToMany`. */
  members?: Profile[];
}

/** A record of `CircleMembers`, named by `profileId` and `circleId`. */
export interface CircleMembers {
  /** `profileId: ID!` */
  profileId: ProfileId;
  /** `circleId: ID!` */
  circleId: CircleId;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/**
 * What names a CircleMembers: as JSON text where an id is asked for, as an object where another record refers to it.
 */
export interface CircleMembersKey {
  profileId: ProfileId;
  circleId: CircleId;
}

/** What a save of a `CircleMembers` takes; fields left out get their default, or are null. */
export interface CircleMembersInput {
  /** `profileId: ID!` */
  profileId?: ProfileId;
  /** `circleId: ID!` */
  circleId?: CircleId;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `profileId`: the Profile with this key. */
  profile?: ProfileKey;
  /** In place of `circleId`: the Circle with this key. */
  circle?: CircleKey;
}

/** What an update of a `CircleMembers` takes; fields left out stay as they are. */
export interface CircleMembersPatch {
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `CircleMembers` for each relation that it is asked to include. */
export interface CircleMembersRelations {
  /** The Profile of a `@belongsTo`. Null also if the record that it refers to is not here. */
  profile?: Profile | null;
  /** The Circle of a `@belongsTo`. Null also if the record that it refers to is not here. */
  circle?: Circle | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Profile & { __typename: "Profile" })
  | (Follow & { __typename: "Follow" })
  | (Status & { __typename: "Status" })
  | (Like & { __typename: "Like" })
  | (Circle & { __typename: "Circle" })
  | (CircleMembers & { __typename: "CircleMembers" });
