// Whom the platform has before it gets a chat: three people and two horses, so that there is something to look at.
import { hashPassword } from "../passwords.js";

/** The password of all three. */
export const PASSWORD = "correct horse";

export async function seed({ User, Listing }) {
  const password_hash = await hashPassword(PASSWORD);
  const person = (full_name, email, role) => User.create({ full_name, email, role, password_hash, profile_picture_url: null, suspension: null });
  const lucia = await person("Lucía Fernández", "lucia@example.com", "seller");
  await person("Bruno Díaz", "bruno@example.com", "seller");
  await person("Marta Gil", "admin@example.com", "admin");
  const horse = (title, price) => Listing.create({ seller_id: String(lucia._id), title, price, status: "available" });
  await horse("Luna, Criollo mare, 6 years", "USD 4,500");
  await horse("Trueno, Thoroughbred gelding, 9 years", "USD 7,000");
}
