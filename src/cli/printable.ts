/**
 * Text from elsewhere (host names, log lines) as a terminal may show it: on one line, and without the control characters
 * with which it could move the cursor or change the window's title.
 */
export function printable(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\p{Cc}/gu, '?');
}
