/**
 * What a console says, without what a terminal acts on. Guests and firmware paint their screens, and a guest may say anything: where its
 * words go on to a file or a program, or into an error, they are plain text.
 */
import { Transform } from 'node:stream';

// biome-ignore lint/suspicious/noControlCharactersInRegex: guests and firmware paint their screens with them
const PAINTED = /\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|[^\n\t\x20-\x7e]/g;
/** The beginning of what `PAINTED` takes together, where more may come. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const BEGUN = /\x1b(?:\[[0-9;?=]{0,32}|[()])?$/;

/** The text, with neither control characters nor empty lines at its end. */
export function cleanConsole(text: string): string {
  return text.replaceAll(PAINTED, '').trimEnd();
}

/** Cleans what passes through, as it comes. */
export function consoleCleaner(): Transform {
  let held = '';
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = held + chunk.toString('latin1');
      held = BEGUN.exec(text)?.[0] ?? '';
      done(null, text.slice(0, text.length - held.length).replaceAll(PAINTED, ''));
    },
  });
}
