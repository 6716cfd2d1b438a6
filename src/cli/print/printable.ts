/** Text from elsewhere as a part of one line. */
import { visible } from '../../protocol/documents/terminal-text.ts';

/** Makes text from elsewhere (host names, log lines) safe for a terminal. The result is one line, with single spaces. */
export function printable(text: string): string {
  return visible(text.replace(/\s+/g, ' '));
}
