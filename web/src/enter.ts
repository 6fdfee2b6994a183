// Which Enter sends. An input method takes Enter to choose a word: that one must not send half a word.

type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">;
type Taken = Pick<KeyboardEvent, "isComposing" | "keyCode">;
type Input = Pick<InputEvent, "inputType" | "isComposing">;

/** The `keyCode` of a key that an input method has taken (UI Events, section "Legacy key attributes"). */
const TAKEN = 229;

/** Whether an input method has this key, which means nothing else then: arrows move among its words. */
export const isTaken = ({ isComposing, keyCode }: Taken) => isComposing || keyCode === TAKEN;

/**
 * Watches the events of a field. Chromium and Firefox set `isComposing` on the Enter that chooses a word; Safari ends
 * the composition first, and only `keyCode` 229 shows it. Keyboards of Android use 229 for all keys: with them a line break
 * that is about to be inserted is the Enter.
 */
export class EnterKey {
  private mayBreakLine = false;

  /** Whether this press sends. */
  onKeyDown(press: Key): boolean {
    this.mayBreakLine = isTaken(press) && !press.shiftKey;
    return press.key === "Enter" && !press.shiftKey && !isTaken(press);
  }

  /** Whether this input, which is about to be made, sends instead. */
  onBeforeInput({ inputType, isComposing }: Input): boolean {
    const isLineBreak = inputType === "insertLineBreak" || inputType === "insertParagraph";
    return isLineBreak && !isComposing && this.mayBreakLine;
  }

  /** The key was let go: a line break that comes now is not of this press. */
  onKeyUp(): void {
    this.mayBreakLine = false;
  }
}
