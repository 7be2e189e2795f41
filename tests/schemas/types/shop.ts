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

/** Enum `Currency`. */
export type Currency = "EUR" | "USD" | "GBP";

/**
 * How far an order is.
 *
 * `OPEN`: Not paid yet.
 *
 * Enum `OrderStatus`.
 */
export type OrderStatus = "OPEN" | "PAID" | "SHIPPED" | "RETURNED";

/** Enum `PaymentMethod`. */
export type PaymentMethod = "CARD" | "INVOICE" | "CASH";

/**
 * Who buys here, once per account. The account is that of the sign-in:
 *
 * ```
 * Customer{account:"ada"}
 * ```
 *
 * Never shown to other customers *\/ of the shop.
 *
 * A record of `Customer`, named by `account`.
 */
export interface Customer {
  /** `account: String!` */
  account: string;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `email: AWSEmail!`. An e-mail address. Null only if a schema that does not demand it wrote the record. */
  email: string | null;
  /** `phone: AWSPhone`. A telephone number. */
  phone: string | null;
  /**
   * Where they sell on, such as <https://example.org>; see [terms].
   *
   * `homepage: AWSURL`. A URL.
   */
  homepage: string | null;
  /** `address: Address`. Merged field by field. */
  address: Address | null;
  /** `deliveryAddresses: [Address!]`. A list: merged element by element. */
  deliveryAddresses: (Address | null)[] | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Customer: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface CustomerKey {
  account: string;
}

/** What a save of a `Customer` takes; fields left out get their default, or are null. */
export interface CustomerInput {
  /** `account: String!` */
  account: string;
  /** `name: String!` */
  name: string;
  /** `email: AWSEmail!` */
  email: string;
  /** `phone: AWSPhone` */
  phone?: string | null;
  /**
   * Where they sell on, such as <https://example.org>; see [terms].
   *
   * `homepage: AWSURL`
   */
  homepage?: string | null;
  /** `address: Address` */
  address?: AddressInput | null;
  /** `deliveryAddresses: [Address!]` */
  deliveryAddresses?: AddressInput[] | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Customer` takes; fields left out stay as they are. */
export interface CustomerPatch {
  /** `name: String!` */
  name?: string;
  /** `email: AWSEmail!` */
  email?: string;
  /** `phone: AWSPhone` */
  phone?: string | null;
  /**
   * Where they sell on, such as <https://example.org>; see [terms].
   *
   * `homepage: AWSURL`
   */
  homepage?: string | null;
  /** `address: Address`. A patch itself: what it does not name stays. */
  address?: AddressPatch | null;
  /** `deliveryAddresses: [Address!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  deliveryAddresses?: AddressInput[] | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Customer` for each relation that it is asked to include. */
export interface CustomerRelations {
  /**
   * All they ever ordered.
   *
   * The Order of a `@hasMany`.
   */
  orders?: Order[];
}

/** A record of `Product`, named by `warehouse` and `sku`. */
export interface Product {
  /** `warehouse: ID!` */
  warehouse: string;
  /** `sku: String!` */
  sku: string;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `price: Float!`. Null only if a schema that does not demand it wrote the record. */
  price: number | null;
  /** `currency: Currency!`, default `"EUR"`. Null only if a schema that does not demand it wrote the record. */
  currency: Currency | Unlisted | null;
  /** `pictures: [AWSURL!]`. A list: merged element by element. */
  pictures: (string | null)[] | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Product: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface ProductKey {
  warehouse: string;
  sku: string;
}

/** What a save of a `Product` takes; fields left out get their default, or are null. */
export interface ProductInput {
  /** `warehouse: ID!` */
  warehouse: string;
  /** `sku: String!` */
  sku: string;
  /** `name: String!` */
  name: string;
  /** `price: Float!` */
  price: number;
  /** `currency: Currency!`, default `"EUR"` */
  currency?: Currency | null;
  /** `pictures: [AWSURL!]` */
  pictures?: string[] | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Product` takes; fields left out stay as they are. */
export interface ProductPatch {
  /** `name: String!` */
  name?: string;
  /** `price: Float!` */
  price?: number;
  /** `currency: Currency!`, default `"EUR"` */
  currency?: Currency;
  /** `pictures: [AWSURL!]`. Changed by the difference, so that concurrent edits elsewhere in it survive. */
  pictures?: string[] | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Product` for each relation that it is asked to include. */
export interface ProductRelations {
  /** The OrderLine of a `@hasMany`. */
  lines?: OrderLine[];
}

/** Id of a Order. */
export type OrderId = string;

/** A record of `Order`, named by `id`. */
export interface Order {
  /** `id: ID!`. Never changes. */
  id: OrderId;
  /** `customerAccount: String!`. Null only if a schema that does not demand it wrote the record. */
  customerAccount: string | null;
  /** `status: OrderStatus!`, default `"OPEN"`. Null only if a schema that does not demand it wrote the record. */
  status: OrderStatus | Unlisted | null;
  /** `shipTo: Address`. Merged field by field. */
  shipTo: Address | null;
  /** `orderPaymentId: ID` */
  orderPaymentId: PaymentId | null;
  /** `placedAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  placedAt: string;
  /** `changedAt: AWSDateTime`. Time of the record's newest change. */
  changedAt: string;
}

/** What names a Order where another record refers to it. */
export interface OrderKey {
  id: OrderId;
}

/** What a save of a `Order` takes; fields left out get their default, or are null. */
export interface OrderInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: OrderId;
  /** `customerAccount: String!` */
  customerAccount?: string;
  /** `status: OrderStatus!`, default `"OPEN"` */
  status?: OrderStatus | null;
  /** `shipTo: Address` */
  shipTo?: AddressInput | null;
  /** `orderPaymentId: ID` */
  orderPaymentId?: PaymentId | null;
  /** `placedAt: AWSDateTime`. Kept if it is given. */
  placedAt?: string;
  /** `changedAt: AWSDateTime`. Kept by an import, derived by a save. */
  changedAt?: string;
  /** In place of `customerAccount`: the Customer with this key. */
  customer?: CustomerKey;
  /** In place of `orderPaymentId`: the Payment with this key. */
  payment?: PaymentKey | null;
}

/** What an update of a `Order` takes; fields left out stay as they are. */
export interface OrderPatch {
  /** `customerAccount: String!` */
  customerAccount?: string;
  /** `status: OrderStatus!`, default `"OPEN"` */
  status?: OrderStatus;
  /** `shipTo: Address`. A patch itself: what it does not name stays. */
  shipTo?: AddressPatch | null;
  /** `orderPaymentId: ID` */
  orderPaymentId?: PaymentId | null;
  /** `placedAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  placedAt?: string | null;
  /** In place of `customerAccount`: the Customer with this key. */
  customer?: CustomerKey;
  /** In place of `orderPaymentId`: the Payment with this key. */
  payment?: PaymentKey | null;
}

/** What a query adds to a `Order` for each relation that it is asked to include. */
export interface OrderRelations {
  /** The Customer of a `@belongsTo`. Null also if the record that it refers to is not here. */
  customer?: Customer | null;
  /** The OrderLine of a `@hasMany`. */
  lines?: OrderLine[];
  /** The Payment of a `@hasOne`. Null also if the record that it refers to is not here. */
  payment?: Payment | null;
}

/** Id of a OrderLine. */
export type OrderLineId = string;

/** A record of `OrderLine`, named by `id`. */
export interface OrderLine {
  /** `id: ID!`. Never changes. */
  id: OrderLineId;
  /** `quantity: Int!`, default `1`. Null only if a schema that does not demand it wrote the record. */
  quantity: number | null;
  /** `price: Float` */
  price: number | null;
  /** `productLinesWarehouse: ID` */
  productLinesWarehouse: string | null;
  /** `productLinesSku: String` */
  productLinesSku: string | null;
  /** `orderLinesId: ID` */
  orderLinesId: OrderId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a OrderLine where another record refers to it. */
export interface OrderLineKey {
  id: OrderLineId;
}

/** What a save of a `OrderLine` takes; fields left out get their default, or are null. */
export interface OrderLineInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: OrderLineId;
  /** `quantity: Int!`, default `1` */
  quantity?: number | null;
  /** `price: Float` */
  price?: number | null;
  /** `productLinesWarehouse: ID` */
  productLinesWarehouse?: string | null;
  /** `productLinesSku: String` */
  productLinesSku?: string | null;
  /** `orderLinesId: ID` */
  orderLinesId?: OrderId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `orderLinesId`: the Order with this key. */
  order?: OrderKey | null;
  /** In place of `productLinesWarehouse`, `productLinesSku`: the Product with this key. */
  product?: ProductKey | null;
}

/** What an update of a `OrderLine` takes; fields left out stay as they are. */
export interface OrderLinePatch {
  /** `quantity: Int!`, default `1` */
  quantity?: number;
  /** `price: Float` */
  price?: number | null;
  /** `productLinesWarehouse: ID` */
  productLinesWarehouse?: string | null;
  /** `productLinesSku: String` */
  productLinesSku?: string | null;
  /** `orderLinesId: ID` */
  orderLinesId?: OrderId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `orderLinesId`: the Order with this key. */
  order?: OrderKey | null;
  /** In place of `productLinesWarehouse`, `productLinesSku`: the Product with this key. */
  product?: ProductKey | null;
}

/** What a query adds to a `OrderLine` for each relation that it is asked to include. */
export interface OrderLineRelations {
  /** The Order of a `@belongsTo`. Null also if the record that it refers to is not here. */
  order?: Order | null;
  /** The Product of a `@belongsTo`. Null also if the record that it refers to is not here. */
  product?: Product | null;
}

/** Id of a Payment. */
export type PaymentId = string;

/** A record of `Payment`, named by `id`. */
export interface Payment {
  /** `id: ID!`. Never changes. */
  id: PaymentId;
  /** `method: PaymentMethod!`. Null only if a schema that does not demand it wrote the record. */
  method: PaymentMethod | Unlisted | null;
  /** `amount: Float!`. Null only if a schema that does not demand it wrote the record. */
  amount: number | null;
  /** `paidAt: AWSTimestamp`. Seconds since 1970. */
  paidAt: number | null;
  /** `raw: AWSJSON`. Any JSON; a string is JSON text itself. */
  raw: Json | null;
  /** `paymentOrderId: ID` */
  paymentOrderId: OrderId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Payment where another record refers to it. */
export interface PaymentKey {
  id: PaymentId;
}

/** What a save of a `Payment` takes; fields left out get their default, or are null. */
export interface PaymentInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: PaymentId;
  /** `method: PaymentMethod!` */
  method: PaymentMethod;
  /** `amount: Float!` */
  amount: number;
  /** `paidAt: AWSTimestamp` */
  paidAt?: number | null;
  /** `raw: AWSJSON` */
  raw?: Json | null;
  /** `paymentOrderId: ID` */
  paymentOrderId?: OrderId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `paymentOrderId`: the Order with this key. */
  order?: OrderKey | null;
}

/** What an update of a `Payment` takes; fields left out stay as they are. */
export interface PaymentPatch {
  /** `method: PaymentMethod!` */
  method?: PaymentMethod;
  /** `amount: Float!` */
  amount?: number;
  /** `paidAt: AWSTimestamp` */
  paidAt?: number | null;
  /** `raw: AWSJSON` */
  raw?: Json | null;
  /** `paymentOrderId: ID` */
  paymentOrderId?: OrderId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `paymentOrderId`: the Order with this key. */
  order?: OrderKey | null;
}

/** What a query adds to a `Payment` for each relation that it is asked to include. */
export interface PaymentRelations {
  /** The Order of a `@belongsTo`. Null also if the record that it refers to is not here. */
  order?: Order | null;
}

/**
 * A postal address.
 *
 * A value of `Address`, as it is shown.
 */
export interface Address {
  /**
   * `street: String!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it.
   */
  street: string | null;
  /**
   * `city: String!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it.
   */
  city: string | null;
  /**
   * Postal code, as written in `country`.
   *
   * `zip: String`
   */
  zip: string | null;
  /**
   * `country: Country!`. Merged field by field. Null only if a schema that does not demand it wrote the value, or a
   * concurrent edit emptied it.
   */
  country: Country | null;
}

/** A value of `Address`, as a save takes it. */
export interface AddressInput {
  /** `street: String!` */
  street: string;
  /** `city: String!` */
  city: string;
  /**
   * Postal code, as written in `country`.
   *
   * `zip: String`
   */
  zip?: string | null;
  /** `country: Country!` */
  country: CountryInput;
}

/** What changes of a value of `Address`. Where there is none yet, it takes what a save does. */
export interface AddressPatch {
  /** `street: String!` */
  street?: string;
  /** `city: String!` */
  city?: string;
  /**
   * Postal code, as written in `country`.
   *
   * `zip: String`
   */
  zip?: string | null;
  /** `country: Country!`. A patch itself: what it does not name stays. */
  country?: CountryPatch;
}

/** A value of `Country`, as it is shown. */
export interface Country {
  /**
   * `code: String!`. Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it.
   */
  code: string | null;
  /** `name: String` */
  name: string | null;
}

/** A value of `Country`, as a save takes it. */
export interface CountryInput {
  /** `code: String!` */
  code: string;
  /** `name: String` */
  name?: string | null;
}

/** What changes of a value of `Country`. Where there is none yet, it takes what a save does. */
export interface CountryPatch {
  /** `code: String!` */
  code?: string;
  /** `name: String` */
  name?: string | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Customer & { __typename: "Customer" })
  | (Product & { __typename: "Product" })
  | (Order & { __typename: "Order" })
  | (OrderLine & { __typename: "OrderLine" })
  | (Payment & { __typename: "Payment" });
