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

/** Enum `PostStatus`. */
export type PostStatus = "DRAFT" | "PUBLISHED" | "ARCHIVED";

/** Id of a Blog. */
export type BlogId = string;

/** A record of `Blog`, named by `id`. */
export interface Blog {
  /** `id: ID!`. Never changes. */
  id: BlogId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `tagline: String` */
  tagline: string | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Blog where another record refers to it. */
export interface BlogKey {
  id: BlogId;
}

/** What a save of a `Blog` takes; fields left out get their default, or are null. */
export interface BlogInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: BlogId;
  /** `name: String!` */
  name: string;
  /** `tagline: String` */
  tagline?: string | null;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Blog` takes; fields left out stay as they are. */
export interface BlogPatch {
  /** `name: String!` */
  name?: string;
  /** `tagline: String` */
  tagline?: string | null;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Blog` for each relation that it is asked to include. */
export interface BlogRelations {
  /** The Post of a `@hasMany`. */
  posts?: Post[];
}

/** Id of a Post. */
export type PostId = string;

/** A record of `Post`, named by `id`. */
export interface Post {
  /** `id: ID!`. Never changes. */
  id: PostId;
  /** `title: String!`. Null only if a schema that does not demand it wrote the record. */
  title: string | null;
  /** `content: AWSJSON`. Any JSON; a string is JSON text itself. */
  content: Json | null;
  /** `status: PostStatus!`, default `"DRAFT"`. Null only if a schema that does not demand it wrote the record. */
  status: PostStatus | Unlisted | null;
  /** `rating: Float` */
  rating: number | null;
  /** `blogPostsId: ID` */
  blogPostsId: BlogId | null;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Post where another record refers to it. */
export interface PostKey {
  id: PostId;
}

/** What a save of a `Post` takes; fields left out get their default, or are null. */
export interface PostInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: PostId;
  /** `title: String!` */
  title: string;
  /** `content: AWSJSON` */
  content?: Json | null;
  /** `status: PostStatus!`, default `"DRAFT"` */
  status?: PostStatus | null;
  /** `rating: Float` */
  rating?: number | null;
  /** `blogPostsId: ID` */
  blogPostsId?: BlogId | null;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `blogPostsId`: the Blog with this key. */
  blog?: BlogKey | null;
}

/** What an update of a `Post` takes; fields left out stay as they are. */
export interface PostPatch {
  /** `title: String!` */
  title?: string;
  /** `content: AWSJSON` */
  content?: Json | null;
  /** `status: PostStatus!`, default `"DRAFT"` */
  status?: PostStatus;
  /** `rating: Float` */
  rating?: number | null;
  /** `blogPostsId: ID` */
  blogPostsId?: BlogId | null;
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `blogPostsId`: the Blog with this key. */
  blog?: BlogKey | null;
}

/** What a query adds to a `Post` for each relation that it is asked to include. */
export interface PostRelations {
  /** The Blog of a `@belongsTo`. Null also if the record that it refers to is not here. */
  blog?: Blog | null;
  /** The Comment of a `@hasMany`. */
  comments?: Comment[];
  /** The Tag of a `@manyToMany`. */
  tags?: Tag[];
}

/** Id of a Comment. */
export type CommentId = string;

/** A record of `Comment`, named by `id`. */
export interface Comment {
  /** `id: ID!`. Never changes. */
  id: CommentId;
  /** `postID: ID!`. Null only if a schema that does not demand it wrote the record. */
  postID: PostId | null;
  /** `content: String!`. Null only if a schema that does not demand it wrote the record. */
  content: string | null;
  /** `createdAt: AWSDateTime!`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Comment where another record refers to it. */
export interface CommentKey {
  id: CommentId;
}

/** What a save of a `Comment` takes; fields left out get their default, or are null. */
export interface CommentInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: CommentId;
  /** `postID: ID!` */
  postID?: PostId;
  /** `content: String!` */
  content: string;
  /** `createdAt: AWSDateTime!`. Kept if it is given. */
  createdAt?: string;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `postID`: the Post with this key. */
  post?: PostKey;
}

/** What an update of a `Comment` takes; fields left out stay as they are. */
export interface CommentPatch {
  /** `postID: ID!` */
  postID?: PostId;
  /** `content: String!` */
  content?: string;
  /** `createdAt: AWSDateTime!`. Shown from then on, instead of the time of the first change. */
  createdAt?: string;
  /** `owner: String` */
  owner?: string | null;
  /** In place of `postID`: the Post with this key. */
  post?: PostKey;
}

/** What a query adds to a `Comment` for each relation that it is asked to include. */
export interface CommentRelations {
  /** The Post of a `@belongsTo`. Null also if the record that it refers to is not here. */
  post?: Post | null;
}

/** Id of a Tag. */
export type TagId = string;

/** A record of `Tag`, named by `id`. */
export interface Tag {
  /** `id: ID!`. Never changes. */
  id: TagId;
  /** `label: String!`. Null only if a schema that does not demand it wrote the record. */
  label: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Tag where another record refers to it. */
export interface TagKey {
  id: TagId;
}

/** What a save of a `Tag` takes; fields left out get their default, or are null. */
export interface TagInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: TagId;
  /** `label: String!` */
  label: string;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Tag` takes; fields left out stay as they are. */
export interface TagPatch {
  /** `label: String!` */
  label?: string;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Tag` for each relation that it is asked to include. */
export interface TagRelations {
  /** The Post of a `@manyToMany`. */
  posts?: Post[];
}

/** A record of `PostTags`, named by `postId` and `tagId`. */
export interface PostTags {
  /** `postId: ID!` */
  postId: PostId;
  /** `tagId: ID!` */
  tagId: TagId;
  /** `owner: String`. Whose record it is. */
  owner: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a PostTags: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface PostTagsKey {
  postId: PostId;
  tagId: TagId;
}

/** What a save of a `PostTags` takes; fields left out get their default, or are null. */
export interface PostTagsInput {
  /** `postId: ID!` */
  postId?: PostId;
  /** `tagId: ID!` */
  tagId?: TagId;
  /** `owner: String`. Kept if it is given. */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `postId`: the Post with this key. */
  post?: PostKey;
  /** In place of `tagId`: the Tag with this key. */
  tag?: TagKey;
}

/** What an update of a `PostTags` takes; fields left out stay as they are. */
export interface PostTagsPatch {
  /** `owner: String` */
  owner?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `PostTags` for each relation that it is asked to include. */
export interface PostTagsRelations {
  /** The Post of a `@belongsTo`. Null also if the record that it refers to is not here. */
  post?: Post | null;
  /** The Tag of a `@belongsTo`. Null also if the record that it refers to is not here. */
  tag?: Tag | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Blog & { __typename: "Blog" })
  | (Post & { __typename: "Post" })
  | (Comment & { __typename: "Comment" })
  | (Tag & { __typename: "Tag" })
  | (PostTags & { __typename: "PostTags" });
