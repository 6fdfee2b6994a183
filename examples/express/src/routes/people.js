// Sign-up, sign-in, and what people change about themselves and admins about them. Each change goes to the chat, too.
import { Router } from "express";
import { hashPassword, isPassword } from "../passwords.js";
import { Refusal, adminsOnly, isSuspended, signedIn, text, texts } from "../requests.js";

const shown = ({ _id, full_name, email, role, profile_picture_url }) => ({ _id: String(_id), full_name, email, role, profile_picture_url });

export function people({ data, tokens, chat, outbox }) {
  const { User } = data;
  const router = Router();

  const putUser = (id) =>
    outbox.add(`user ${id}`, async () => {
      const user = await User.findById(id);
      if (user) await chat.putUser(user);
    });

  router.post("/signup", async ({ body }, response) => {
    const [email, password, full_name] = ["email", "password", "full_name"].map((name) => text(body, name));
    const fields = { email: email.toLowerCase(), full_name, role: "seller", password_hash: await hashPassword(password) };
    const user = await User.create({ ...fields, profile_picture_url: null, suspension: null }).catch((error) => {
      throw error.code === 11000 ? new Refusal(409, "This e-mail has an account") : error;
    });
    await putUser(String(user._id));
    response.status(201).json({ token: tokens.issue(user), user: shown(user) });
  });

  router.post("/signin", async ({ body }, response) => {
    const user = await User.findOne({ email: text(body, "email").toLowerCase() });
    if (!user || !(await isPassword(text(body, "password"), user.password_hash))) throw new Refusal(401, "Wrong e-mail or password");
    if (isSuspended(user)) throw new Refusal(403, "This account is suspended");
    response.json({ token: tokens.issue(user), user: shown(user) });
  });

  router.get("/me", signedIn({ tokens, data }), ({ user }, response) => {
    response.json(shown(user));
  });

  router.patch("/me", signedIn({ tokens, data }), async ({ user, body }, response) => {
    const changed = await User.findByIdAndUpdate(user._id, texts(body, ["full_name", "profile_picture_url"]), { new: true });
    await putUser(String(user._id));
    response.json(shown(changed));
  });

  const suspend = async (id, suspension) => {
    if (!(await User.findByIdAndUpdate(id, { suspension }))) throw new Refusal(404, "No such user");
    await outbox.add(`user ${id}`, async () => {
      const user = await User.findById(id);
      if (user) await chat.putSuspension(user);
    });
  };

  router.put("/users/:id/suspension", signedIn({ tokens, data }), adminsOnly, async ({ params, body }, response) => {
    const suspension = texts(body, ["reason", "until"]);
    if (suspension.until && Number.isNaN(Date.parse(suspension.until))) throw new Refusal(422, "until is not a time");
    await suspend(params.id, suspension);
    response.status(204).end();
  });

  router.delete("/users/:id/suspension", signedIn({ tokens, data }), adminsOnly, async ({ params }, response) => {
    await suspend(params.id, null);
    response.status(204).end();
  });

  return router;
}
