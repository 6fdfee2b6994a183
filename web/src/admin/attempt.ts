// A change that a dialog makes.
import { explain } from "../language";
import { showToast } from "../page/dialogs";

/** Makes a change and says that it was made; answers why it could not be. */
export async function attempt(change: Promise<unknown>, done: string): Promise<string | undefined> {
  try {
    await change;
    showToast(done);
    return undefined;
  } catch (error) {
    return explain(error);
  }
}
