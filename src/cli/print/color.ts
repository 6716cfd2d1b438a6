/** Colours, named by what they mean. Only a terminal gets any, and NO_COLOR (no-color.org) turns them off. */
import { styleText } from 'node:util';

export type Tone = 'good' | 'warning' | 'bad' | 'quiet' | 'heading';

/** Gives `text` the tone's colour, or leaves it as it is where colours are not wanted. */
export type Paint = (tone: Tone, text: string) => string;

const STYLES = {
  good: 'green',
  warning: 'yellow',
  bad: 'red',
  quiet: 'dim',
  heading: 'bold',
} as const satisfies Record<Tone, string>;

export const plain: Paint = (_tone, text) => text;

const colored: Paint = (tone, text) => styleText(STYLES[tone], text, { validateStream: false });

/** What colour decisions need of a stream; `tty.WriteStream` has it. */
export interface ColorStream {
  readonly isTTY?: boolean;
  hasColors?(): boolean;
}

export function wantsColor(stream: ColorStream): boolean {
  return (stream.isTTY && stream.hasColors?.()) ?? false;
}

export function paintFor(stream: ColorStream): Paint {
  return wantsColor(stream) ? colored : plain;
}
