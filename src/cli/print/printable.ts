/**
 * Text from elsewhere (host names, log lines) as a terminal may show it: on one line, and without the control and format
 * characters with which it could move the cursor, change the window's title or turn the direction of writing.
 */
export function printable(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\p{Cc}\p{Cf}]/gu, '?');
}
