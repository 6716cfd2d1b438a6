/** Which numbers host0 gives to networks, as people write it: `4096`, `0x1000-0xffff`. */
import { isNetworkNumber, NETWORK_NUMBER_MAX, type NumberRange } from '../../model/network/number.ts';

/** The rule for a range. */
export const NUMBER_RANGE_RULE = `A range is a number, or two with a hyphen between, from 1 to 0x${NETWORK_NUMBER_MAX.toString(16)}; hex numbers begin with 0x.`;
/** A range as people write it. */
export const NUMBER_RANGE_EXAMPLE = '0x1000-0xffff';

/** One range of numbers; undefined for a word that is none. */
export function parseNumberRange(word: string): NumberRange | undefined {
  const [, from = '', to = from] = /^(0x[0-9a-f]{1,6}|\d{1,8})(?:-(0x[0-9a-f]{1,6}|\d{1,8}))?$/i.exec(word) ?? [];
  const [first, last] = [Number(from), Number(to)];
  return from !== '' && isNetworkNumber(first) && isNetworkNumber(last) && first <= last ? { first, last } : undefined;
}
