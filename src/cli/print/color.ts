/** Colours, named by what they mean. Only a terminal gets colours, and NO_COLOR (no-color.org) switches them off. */
import { styleText } from 'node:util';

/** What a piece of text means to the reader; STYLES has the colour for it. */
export type Tone = 'good' | 'warning' | 'bad' | 'quiet' | 'heading';

/** Gives `text` the tone's colour, or returns it unchanged where colours are not wanted. */
export type Paint = (tone: Tone, text: string) => string;

const STYLES = {
  good: 'green',
  warning: 'yellow',
  bad: 'red',
  quiet: 'dim',
  heading: 'bold',
} as const satisfies Record<Tone, string>;

/** The paint without colours. `context.paint !== plain` says whether colours are on. */
export const plain: Paint = (_tone, text) => text;

const colored: Paint = (tone, text) => styleText(STYLES[tone], text, { validateStream: false });

/** The part of a stream that decides about colours; `tty.WriteStream` has it. */
export interface ColorStream {
  readonly isTTY?: boolean;
  hasColors?(): boolean;
}

/** Whether the stream is a terminal with colours; `hasColors()` also looks at NO_COLOR. */
export function wantsColor(stream: ColorStream): boolean {
  return (stream.isTTY && stream.hasColors?.()) ?? false;
}

/** The paint for texts that go to `stream`. */
export function paintFor(stream: ColorStream): Paint {
  return wantsColor(stream) ? colored : plain;
}
