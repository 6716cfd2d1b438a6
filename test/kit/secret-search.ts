/** Searches bytes for a secret in every form in which a program could give it away without knowing. */

/** What to search for: each form of a secret with its name. */
export interface Needle {
  readonly form: string;
  readonly bytes: Buffer;
}

/** The forms of one secret. */
export function needlesOf(name: string, secret: Uint8Array): Needle[] {
  const bytes = Buffer.from(secret);
  const texts: Record<string, string> = {
    hex: bytes.toString('hex'),
    'upper-case hex': bytes.toString('hex').toUpperCase(),
    // `JSON.stringify` of a Buffer, and of a Uint8Array.
    'list of numbers': [...bytes].join(),
    'object of numbers': [...bytes].map((byte, at) => `"${at}":${byte}`).join(),
    'text in UTF-8': bytes.toString('latin1'),
  };
  // In a longer text, the secret begins at any of three places of a group of base64.
  for (const phase of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(phase), bytes]).toString('base64');
    const [first, end] = [Math.ceil((phase * 8) / 6), Math.floor(((phase + bytes.length) * 8) / 6)];
    texts[`base64, phase ${phase}`] = whole.slice(first, end);
    texts[`base64url, phase ${phase}`] = whole.slice(first, end).replaceAll('+', '-').replaceAll('/', '_');
  }
  const forms = Object.entries(texts).map(([form, text]) => ({ form: `${name} as ${form}`, bytes: Buffer.from(text) }));
  return [{ form: `${name} as it is`, bytes }, ...forms];
}

/** The forms that are in the bytes. */
export function found(needles: readonly Needle[], where: Uint8Array): string[] {
  const bytes = Buffer.from(where.buffer, where.byteOffset, where.byteLength);
  return needles.filter((needle) => bytes.includes(needle.bytes)).map(({ form }) => form);
}

/** Bytes of a file of tcpdump: each frame, and each TCP stream as a whole, those inside of VXLAN packets too. */
export function* capturedTexts(pcap: Buffer): Generator<Buffer> {
  const streams = new Map<string, Buffer[]>();
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8);
    const frame = pcap.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    yield frame;
    const segment = segmentIn(frame);
    if (segment !== undefined) streams.set(segment.flow, [...(streams.get(segment.flow) ?? []), segment.data]);
  }
  for (const parts of streams.values()) yield Buffer.concat(parts);
}

/** The TCP segment of an Ethernet frame, or of the one that a VXLAN packet carries. */
function segmentIn(frame: Buffer): { readonly flow: string; readonly data: Buffer } | undefined {
  if (frame.length < 34) return undefined;
  const type = frame.readUInt16BE(12);
  if (type !== 0x0800 && type !== 0x86dd) return undefined;
  const isIpv4 = type === 0x0800;
  const protocol = frame[isIpv4 ? 23 : 20];
  const start = isIpv4 ? 14 + ((frame[14] ?? 0) & 0x0f) * 4 : 54;
  const addresses = isIpv4 ? frame.subarray(26, 34) : frame.subarray(22, 54);
  if (frame.length < start + 20) return undefined;
  if (protocol === 17 && frame.readUInt16BE(start + 2) === 4789) return segmentIn(frame.subarray(start + 16));
  if (protocol !== 6) return undefined;
  const flow = `${addresses.toString('hex')} ${frame.readUInt32BE(start)}`;
  return { flow, data: frame.subarray(start + ((frame[start + 12] ?? 0) >> 4) * 4) };
}
