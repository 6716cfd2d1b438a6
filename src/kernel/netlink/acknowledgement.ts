/** How the kernel answers a request and ends a dump: with an errno, and sometimes with a reason in words. */
import { AttributeTable } from './attribute-table.ts';
import { aligned, MESSAGE_HEADER_BYTES, type Message, NLMSG_ERROR, requireStruct } from './netlink.ts';

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** The kernel's answer to one request: errno 0 is success; `text` is its extended acknowledgement, or empty. */
export interface Acknowledgement {
  readonly sequence: number;
  readonly errno: number;
  readonly text: string;
}

/** Decodes NLMSG_ERROR and NLMSG_DONE, which both begin with a negative errno. */
export function acknowledgement(message: Message): Acknowledgement {
  requireStruct(message, 4);
  const { bytes, flags, sequence, start, end } = message;
  const errno = Math.abs(bytes.readInt32LE(start));
  if ((flags & NLM_F_ACK_TLVS) === 0) return { sequence, errno, text: '' };
  let attributes = start + 4;
  if (message.type === NLMSG_ERROR) {
    requireStruct(message, 4 + MESSAGE_HEADER_BYTES);
    // The request follows the errno: only its header when the answer is capped.
    attributes += (flags & NLM_F_CAPPED) !== 0 ? MESSAGE_HEADER_BYTES : aligned(bytes.readUInt32LE(start + 4));
  }
  const table = new AttributeTable(NLMSGERR_ATTR_MSG).parse(bytes, attributes, end);
  return { sequence, errno, text: table.text(NLMSGERR_ATTR_MSG) };
}
