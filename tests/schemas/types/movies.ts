// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query` and `export` print records, the lines of `watch`
// hold them; `save` and `import` take inputs, `update` takes patches. A record has every field, absent ones as null. What
// the schema requires, a field or an element of a list, is null too where a schema that does not require it has written:
// an older one, or a newer one. Integers have 64 bits: `JSON.parse` rounds those beyond 2^53.

/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What a search adds to each record that it finds. */
export interface Found {
  /** The greater the better; comparable within one result. */
  "~score": number;
  /** Where the words stand; not escaped for HTML. */
  "~snippet": string;
}

/** Id of a Movie. */
export type MovieId = string;

/** A record of `Movie`, named by `id`. */
export interface Movie {
  /** `id: ID!`. Never changes. */
  id: MovieId;
  /** `title: String!`. Null only if a schema that does not demand it wrote the record. */
  title: string | null;
  /** `usGross: Int` */
  usGross: number | null;
  /** `worldwideGross: Int` */
  worldwideGross: number | null;
  /** `usDvdSales: Int` */
  usDvdSales: number | null;
  /** `productionBudget: Int` */
  productionBudget: number | null;
  /**
   * `releaseDate: AWSDate!`. `2024-05-31`, with or without an offset. Null only if a schema that does not demand it
   * wrote the record.
   */
  releaseDate: string | null;
  /** `mpaaRating: String` */
  mpaaRating: string | null;
  /** `majorGenre: String` */
  majorGenre: string | null;
  /** `creativeType: String` */
  creativeType: string | null;
  /** `source: String` */
  source: string | null;
  /** `runningTimeMin: Int` */
  runningTimeMin: number | null;
  /** `distributor: String` */
  distributor: string | null;
  /** `director: String` */
  director: string | null;
  /** `rottenTomatoesRating: Int` */
  rottenTomatoesRating: number | null;
  /** `imdbRating: Float` */
  imdbRating: number | null;
  /** `imdbVotes: Int` */
  imdbVotes: number | null;
}

/** What names a Movie where another record refers to it. */
export interface MovieKey {
  id: MovieId;
}

/** What a save of a `Movie` takes; fields left out get their default, or are null. */
export interface MovieInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: MovieId;
  /** `title: String!` */
  title: string;
  /** `usGross: Int` */
  usGross?: number | null;
  /** `worldwideGross: Int` */
  worldwideGross?: number | null;
  /** `usDvdSales: Int` */
  usDvdSales?: number | null;
  /** `productionBudget: Int` */
  productionBudget?: number | null;
  /** `releaseDate: AWSDate!` */
  releaseDate: string;
  /** `mpaaRating: String` */
  mpaaRating?: string | null;
  /** `majorGenre: String` */
  majorGenre?: string | null;
  /** `creativeType: String` */
  creativeType?: string | null;
  /** `source: String` */
  source?: string | null;
  /** `runningTimeMin: Int` */
  runningTimeMin?: number | null;
  /** `distributor: String` */
  distributor?: string | null;
  /** `director: String` */
  director?: string | null;
  /** `rottenTomatoesRating: Int` */
  rottenTomatoesRating?: number | null;
  /** `imdbRating: Float` */
  imdbRating?: number | null;
  /** `imdbVotes: Int` */
  imdbVotes?: number | null;
}

/** What an update of a `Movie` takes; fields left out stay as they are. */
export interface MoviePatch {
  /** `title: String!` */
  title?: string;
  /** `usGross: Int` */
  usGross?: number | null;
  /** `worldwideGross: Int` */
  worldwideGross?: number | null;
  /** `usDvdSales: Int` */
  usDvdSales?: number | null;
  /** `productionBudget: Int` */
  productionBudget?: number | null;
  /** `releaseDate: AWSDate!` */
  releaseDate?: string;
  /** `mpaaRating: String` */
  mpaaRating?: string | null;
  /** `majorGenre: String` */
  majorGenre?: string | null;
  /** `creativeType: String` */
  creativeType?: string | null;
  /** `source: String` */
  source?: string | null;
  /** `runningTimeMin: Int` */
  runningTimeMin?: number | null;
  /** `distributor: String` */
  distributor?: string | null;
  /** `director: String` */
  director?: string | null;
  /** `rottenTomatoesRating: Int` */
  rottenTomatoesRating?: number | null;
  /** `imdbRating: Float` */
  imdbRating?: number | null;
  /** `imdbVotes: Int` */
  imdbVotes?: number | null;
}
