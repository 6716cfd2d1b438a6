/** A node's channel to host0 in words. */
import type { ChannelView } from '../../protocol/documents/views.ts';
import { durationText } from './duration.ts';

/** `stands for 3 min`, `down for 20 s: REASON`, or `none: REASON`. */
export function channelText(channel: ChannelView): string {
  switch (channel.state) {
    case 'standing':
      return `stands for ${durationText(channel.ageSec)}`;
    case 'down':
      return `down for ${durationText(channel.ageSec)}: ${channel.why}`;
    case 'none':
      return `none: ${channel.why}`;
  }
}
