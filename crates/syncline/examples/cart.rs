//! A shopping cart on two devices: quantities are counters and add up, coupons are a set, and what both put in while
//! apart is in it when they meet.
//!
//! `cargo run -p syncline --example cart`

#![allow(missing_docs, reason = "`models!` makes a module for each model")]

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use syncline::{Id, Options, Store};

// The cart and the product are the key of a line: a product stands in a cart once.
syncline::models!(
    sdl = r#"
type Cart @model {
  owner: String!
  coupons: [String!] @set
  lines: [Line] @hasMany(indexName: "byCart", fields: ["id"])
}
type Line @model {
  cartId: ID! @primaryKey(sortKeyFields: ["product"]) @index(name: "byCart")
  product: String!
  cents: Int!
  quantity: Int @counter
}
"#
);

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let phone = Store::open(folder.path().join("phone.db"), Options::new(SDL)).await?;
    let laptop = Store::open(folder.path().join("laptop.db"), Options::new(SDL)).await?;
    tell(&phone, &laptop, &mut std::io::stdout()).await?;
    laptop.close().await?;
    phone.close().await?;
    Ok(())
}

/// The whole story.
pub(crate) async fn tell(phone: &Store, laptop: &Store, screen: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let door = phone.listen("127.0.0.1:0".parse()?).await?;
    let meet = async || laptop.sync_once(door.url(), PATIENCE).await;

    let cart = phone.save(&Cart::new("Ann")).await?.record.id;
    put(phone, &cart, "milk", 150, 2).await?;
    phone.add(&cart, cart::coupons, "WELCOME").await?;
    meet().await?;
    show("Both devices have the cart, and part", phone, &cart, screen).await?;

    put(phone, &cart, "milk", 150, 1).await?;
    put(phone, &cart, "eggs", 30, 6).await?;
    phone.add(&cart, cart::coupons, "SPRING").await?;
    show("The phone adds a bottle, six eggs and a coupon", phone, &cart, screen).await?;

    put(laptop, &cart, "milk", 150, 2).await?;
    put(laptop, &cart, "eggs", 30, 4).await?;
    put(laptop, &cart, "bread", 240, 1).await?;
    laptop.remove(&cart, cart::coupons, "WELCOME").await?;
    laptop.add(&cart, cart::coupons, "SPRING").await?;
    show("The laptop adds two, four eggs, a loaf of bread, and changes coupons", laptop, &cart, screen).await?;

    meet().await?;
    show("They meet, says the phone", phone, &cart, screen).await?;
    show("They meet, says the laptop", laptop, &cart, screen).await?;
    Ok(())
}

/// Puts some of a product into the cart: a line is made if there is none, and counts up.
async fn put(store: &Store, cart: &Id<Cart>, product: &str, cents: i64, quantity: i64) -> Result<(), Box<dyn Error>> {
    let key = Line::key_of(cart, product);
    if store.get::<Line>(&key).await?.is_none() {
        store.save(&Line::new(cart, product, cents)).await?;
    }
    store.increment(&key, line::quantity, quantity).await?;
    Ok(())
}

async fn show(what: &str, store: &Store, cart: &Id<Cart>, screen: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let coupons = store.get::<Cart>(cart).await?.ok_or("the cart is gone")?.coupons;
    let lines = store.related(cart, cart::lines.order(line::product.asc())).await?;
    let each: Vec<String> = lines.iter().map(|line| format!("{} × {}", line.quantity, line.product)).collect();
    let cents: i64 = lines.iter().map(|line| line.quantity * line.cents).sum();
    writeln!(
        screen,
        "{what}:\n  {} = {}.{:02}, coupons: {}",
        each.join(", "),
        cents / 100,
        cents % 100,
        coupons.join(" ")
    )?;
    Ok(())
}
