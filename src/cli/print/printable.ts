/**
 * Makes text from elsewhere (host names, log lines) safe for a terminal. The result is one line. Control and format characters
 * become `?`: they could move the cursor, change the window's title or reverse the direction of writing.
 */
export function printable(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\p{Cc}\p{Cf}]/gu, '?');
}
