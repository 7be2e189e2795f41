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

/** Enum `Reason`. */
export type Reason = "PURCHASE" | "SALE" | "LOSS" | "COUNT";

/** Id of a Item. */
export type ItemId = string;

/** A record of `Item`, named by `id`. */
export interface Item {
  /** `id: ID!`. Never changes. */
  id: ItemId;
  /** `barcode: String!`. Null only if a schema that does not demand it wrote the record. */
  barcode: string | null;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `stock: Int!`. Null only if a schema that does not demand it wrote the record. */
  stock: number | null;
  /** `reorderAt: Int`, default `10` */
  reorderAt: number | null;
  /** `weight: Float` */
  weight: number | null;
  /** `dimensions: Dimensions`. Merged field by field. */
  dimensions: Dimensions | null;
  /** `supplierID: ID` */
  supplierID: SupplierId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Item where another record refers to it. */
export interface ItemKey {
  id: ItemId;
}

/** What a save of a `Item` takes; fields left out get their default, or are null. */
export interface ItemInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: ItemId;
  /** `barcode: String!` */
  barcode: string;
  /** `name: String!` */
  name: string;
  /** `stock: Int!` */
  stock: number;
  /** `reorderAt: Int`, default `10` */
  reorderAt?: number | null;
  /** `weight: Float` */
  weight?: number | null;
  /** `dimensions: Dimensions` */
  dimensions?: DimensionsInput | null;
  /** `supplierID: ID` */
  supplierID?: SupplierId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `supplierID`: the Supplier with this key. */
  supplier?: SupplierKey | null;
}

/** What an update of a `Item` takes; fields left out stay as they are. */
export interface ItemPatch {
  /** `barcode: String!` */
  barcode?: string;
  /** `name: String!` */
  name?: string;
  /** `stock: Int!` */
  stock?: number;
  /** `reorderAt: Int`, default `10` */
  reorderAt?: number | null;
  /** `weight: Float` */
  weight?: number | null;
  /** `dimensions: Dimensions`. A patch itself: what it does not name stays. */
  dimensions?: DimensionsPatch | null;
  /** `supplierID: ID` */
  supplierID?: SupplierId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `supplierID`: the Supplier with this key. */
  supplier?: SupplierKey | null;
}

/** What a query adds to a `Item` for each relation that it is asked to include. */
export interface ItemRelations {
  /** The Supplier of a `@belongsTo`. Null also if the record that it refers to is not here. */
  supplier?: Supplier | null;
  /** The Movement of a `@hasMany`. */
  movements?: Movement[];
}

/** Id of a Supplier. */
export type SupplierId = string;

/** A record of `Supplier`, named by `id`. */
export interface Supplier {
  /** `id: ID!`. Never changes. */
  id: SupplierId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `website: AWSURL`. A URL. */
  website: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Supplier where another record refers to it. */
export interface SupplierKey {
  id: SupplierId;
}

/** What a save of a `Supplier` takes; fields left out get their default, or are null. */
export interface SupplierInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: SupplierId;
  /** `name: String!` */
  name: string;
  /** `website: AWSURL` */
  website?: string | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Supplier` takes; fields left out stay as they are. */
export interface SupplierPatch {
  /** `name: String!` */
  name?: string;
  /** `website: AWSURL` */
  website?: string | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Supplier` for each relation that it is asked to include. */
export interface SupplierRelations {
  /** The Item of a `@hasMany`. */
  items?: Item[];
}

/** Id of a Movement. */
export type MovementId = string;

/** A record of `Movement`, named by `id`. */
export interface Movement {
  /** `id: ID!`. Never changes. */
  id: MovementId;
  /** `delta: Int!`. Null only if a schema that does not demand it wrote the record. */
  delta: number | null;
  /** `reason: Reason!`. Null only if a schema that does not demand it wrote the record. */
  reason: Reason | Unlisted | null;
  /** `itemMovementsId: ID!`. Null only if a schema that does not demand it wrote the record. */
  itemMovementsId: ItemId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
}

/** What names a Movement where another record refers to it. */
export interface MovementKey {
  id: MovementId;
}

/** What a save of a `Movement` takes; fields left out get their default, or are null. */
export interface MovementInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: MovementId;
  /** `delta: Int!` */
  delta: number;
  /** `reason: Reason!` */
  reason: Reason;
  /** `itemMovementsId: ID!` */
  itemMovementsId?: ItemId;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** In place of `itemMovementsId`: the Item with this key. */
  item?: ItemKey;
}

/** What an update of a `Movement` takes; fields left out stay as they are. */
export interface MovementPatch {
  /** `delta: Int!` */
  delta?: number;
  /** `reason: Reason!` */
  reason?: Reason;
  /** `itemMovementsId: ID!` */
  itemMovementsId?: ItemId;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `itemMovementsId`: the Item with this key. */
  item?: ItemKey;
}

/** What a query adds to a `Movement` for each relation that it is asked to include. */
export interface MovementRelations {
  /** The Item of a `@belongsTo`. Null also if the record that it refers to is not here. */
  item?: Item | null;
}

/** A value of `Dimensions`, as it is shown. */
export interface Dimensions {
  /** `width: Float` */
  width: number | null;
  /** `height: Float` */
  height: number | null;
  /** `depth: Float` */
  depth: number | null;
}

/** A value of `Dimensions`, as a save takes it. */
export interface DimensionsInput {
  /** `width: Float` */
  width?: number | null;
  /** `height: Float` */
  height?: number | null;
  /** `depth: Float` */
  depth?: number | null;
}

/** What changes of a value of `Dimensions`. Where there is none yet, it takes what a save does. */
export interface DimensionsPatch {
  /** `width: Float` */
  width?: number | null;
  /** `height: Float` */
  height?: number | null;
  /** `depth: Float` */
  depth?: number | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Item & { __typename: "Item" })
  | (Supplier & { __typename: "Supplier" })
  | (Movement & { __typename: "Movement" });
