/** The parser of options that take a number. */
import { InvalidArgumentError } from 'commander';

/**
 * Makes a parser for commander's `argParser`: a whole number from `least` to `most`.
 * @throws InvalidArgumentError (the parser), which commander reports as a wrong command line
 */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number, ${range}.`);
  };
}
