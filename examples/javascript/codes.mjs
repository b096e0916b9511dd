// Record codes, docs/formats/codes.md.
import { Refused } from "./msgpack.mjs";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** `JBL-AK` and 42 are JBL-AK-42-R4: ISO 7064 MOD 1271-36. */
export function codeOf(before, number) {
  const body = `${before}-${number}`;
  let read = 0;
  for (const sign of body) {
    const digit = sign === "-" ? 0 : DIGITS.indexOf(sign);
    if (digit < 0) throw new Refused("bad_frame", "a code of other signs");
    read = (read * 36 + digit) % 1271;
  }
  const check = (((1 - read * 1296) % 1271) + 1271) % 1271;
  return `${body}-${DIGITS[Math.floor(check / 36)]}${DIGITS[check % 36]}`;
}
