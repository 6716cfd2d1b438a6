/** Turns a frame on a boot segment into a sighting. Pure: bytes in, facts out. The bytes are untrusted. */
import { type Ipv4, type Ipv4Cidr, ipv4Subnet, ipv4ToNumber } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { addressOption, type DhcpPacket, decodeDhcp, encapsulated, OPTION, textOf } from './dhcp-packet.ts';
import { type Host0Mark, host0MarkOf } from './host0-mark.ts';
import { DHCP_MESSAGES, type DhcpClientKind, type DhcpSighting, type TftpSighting } from './sighting.ts';
import { decodeTftp } from './tftp-packet.ts';
import { decodeUdpFrame, NO_IPV4, type UdpFrame } from './udp-frame.ts';

/** The mark of another host0, with the Ethernet address that sent it. */
export interface HeardMark extends Host0Mark {
  readonly mac: Mac;
}

/** A DHCP or PXE server on the segment, other than host0's own. */
export interface HeardServer {
  readonly server: Ipv4;
  readonly mac: Mac;
  /** A proxy gives boot files and no addresses. */
  readonly gives: 'addresses' | 'boot files';
  /** The subnet of the offered address; absent if the message did not tell its mask. */
  readonly subnet?: Ipv4Cidr;
}

/** What one frame told. */
export interface Observation {
  /** For the timeline of the machine. Absent for the probes of host0s, which boot nothing. */
  readonly sighting?: DhcpSighting | TftpSighting;
  /** A machine on this segment asks for an address: the DHCP message as it came. */
  readonly question?: Buffer;
  /** The foreign server that sent the frame. */
  readonly server?: HeardServer;
  /** The mark of another host0 that sent the frame. */
  readonly mark?: HeardMark;
}

/** Where and when a frame was captured. */
export interface Ear {
  /** The NIC or bridge. */
  readonly device: string;
  readonly nowMs: number;
}

const PXE_PORT = 4011;
const TFTP_PORT = 69;
/** Error codes with which a client ends a transfer that it started only to learn the size of the file (RFC 2347, EDK2). */
const HARMLESS_ERRORS: readonly number[] = [0, 8];
const DISCOVER = 1;

/**
 * Decodes a captured frame.
 * @param outgoing this host sent the frame
 * @returns undefined for a frame that tells nothing about a boot
 */
export function observe(bytes: Buffer, outgoing: boolean, ear: Ear): Observation | undefined {
  const frame = decodeUdpFrame(bytes);
  if (frame === undefined) return undefined;
  if (frame.from.port === TFTP_PORT || frame.to.port === TFTP_PORT) return tftpObservation(frame, ear);
  const packet = decodeDhcp(frame.payload);
  return packet && dhcpObservation(packet, frame, outgoing, ear);
}

function dhcpObservation(packet: DhcpPacket, frame: UdpFrame, outgoing: boolean, ear: Ear): Observation | undefined {
  const type = packet.options.get(OPTION.messageType)?.[0] ?? 0;
  const message = DHCP_MESSAGES[type - 1];
  if (message === undefined) return undefined;
  const mark = type === DISCOVER ? host0MarkOf(packet) : undefined;
  if (mark !== undefined) return outgoing ? undefined : { mark: { ...mark, mac: frame.from.mac } };
  const port = frame.from.port === PXE_PORT || frame.to.port === PXE_PORT ? PXE_PORT : 67;
  const common = { kind: 'dhcp', atMs: ear.nowMs, device: ear.device, message, mac: packet.chaddr, port } as const;
  const bootFile = textOf(packet.options.get(OPTION.bootFile) ?? Buffer.alloc(0)) || packet.file;
  // host0 repeats questions of machines to its own dnsmasq, and may be a client of another server itself.
  if (packet.op === 1 && outgoing) return undefined;
  if (packet.op === 1) {
    const address = addressOption(packet, OPTION.requestedAddress) ?? given(packet.ciaddr);
    const architecture = architectureOf(packet);
    const uuid = uuidOf(packet.options.get(OPTION.machineId));
    const server = addressOption(packet, OPTION.serverId);
    const sighting: DhcpSighting = {
      ...common,
      client: clientKind(packet),
      ...(architecture !== undefined && { architecture }),
      ...(uuid !== undefined && { uuid }),
      ...(server !== undefined && { server }),
      ...(address !== undefined && { address }),
    };
    const isQuestion = message === 'DISCOVER' && given(packet.giaddr) === undefined;
    return { sighting, ...(isQuestion && { question: frame.payload }) };
  }
  const server = addressOption(packet, OPTION.serverId) ?? given(frame.from.ipv4);
  const address = given(packet.yiaddr);
  const sighting: DhcpSighting = {
    ...common,
    ours: outgoing,
    ...(server !== undefined && { server }),
    ...(address !== undefined && { address }),
    ...(bootFile !== '' && { bootFile }),
    ...(message === 'NAK' && { why: textOf(packet.options.get(OPTION.message) ?? Buffer.alloc(0)) }),
  };
  if (outgoing || server === undefined) return { sighting };
  return { sighting, server: heardServer(packet, message, server, frame.from.mac) };
}

function heardServer(packet: DhcpPacket, message: string, server: Ipv4, mac: Mac): HeardServer {
  const address = given(packet.yiaddr);
  const bits = maskBits(addressOption(packet, OPTION.subnetMask));
  // A NAK carries no address, but only a server that gives addresses sends it.
  const gives = address !== undefined || message === 'NAK' ? 'addresses' : 'boot files';
  const subnet = address !== undefined && bits !== undefined ? ipv4Subnet(address, bits) : undefined;
  return { server, mac, gives, ...(subnet !== undefined && { subnet }) };
}

function tftpObservation({ from, to, payload }: UdpFrame, { device, nowMs }: Ear): Observation | undefined {
  const packet = decodeTftp(payload);
  if (packet === undefined) return undefined;
  const toServer = to.port === TFTP_PORT;
  const common = { kind: 'tftp', atMs: nowMs, device, mac: toServer ? from.mac : to.mac } as const;
  if (packet.kind === 'read') {
    return toServer ? { sighting: { ...common, file: packet.file, outcome: { type: 'asked' } } } : undefined;
  }
  if (packet.kind === 'write') return undefined;
  if (toServer && HARMLESS_ERRORS.includes(packet.code)) return undefined;
  const why = `${toServer ? 'the machine broke off: ' : ''}error ${packet.code} ${packet.text}`.trimEnd();
  return { sighting: { ...common, file: '', outcome: { type: 'refused', why } } };
}

/** Recognises iPXE by its user class, plain or behind a length byte (RFC 3004), or by its own option 175. */
function clientKind({ options }: DhcpPacket): DhcpClientKind {
  const userClass = options.get(OPTION.userClass)?.toString('latin1') ?? '';
  const ipxe = options.get(OPTION.ipxe);
  if (userClass === 'iPXE' || userClass === '\x04iPXE' || (ipxe !== undefined && encapsulated(ipxe).size > 0))
    return 'ipxe';
  const vendorClass = options.get(OPTION.vendorClass)?.toString('latin1') ?? '';
  if (vendorClass.startsWith('HTTPClient')) return 'http boot';
  return vendorClass.startsWith('PXEClient') ? 'firmware' : 'system';
}

/** The client's processor and firmware: option 93 or, for firmware that leaves the option out, as its class says it. */
function architectureOf({ options }: DhcpPacket): number | undefined {
  const value = options.get(OPTION.clientArchitecture);
  if (value !== undefined && value.length >= 2) return value.readUInt16BE(0);
  const vendorClass = options.get(OPTION.vendorClass)?.toString('latin1') ?? '';
  const digits = /^(?:PXE|HTTP)Client:Arch:(\d{5})/.exec(vendorClass)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Reads option 97: type 0 and a GUID whose first three fields are little-endian. Prints it as Linux does (SMBIOS 2.6). */
function uuidOf(option: Buffer | undefined): string | undefined {
  if (option === undefined || option.length !== 17 || option[0] !== 0) return undefined;
  const bytes = Buffer.from(option.subarray(1));
  for (const [start, end] of [
    [0, 4],
    [4, 6],
    [6, 8],
  ] as const) {
    bytes.subarray(start, end).reverse();
  }
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Replaces 0.0.0.0, which means "no address", by undefined. */
function given(address: Ipv4): Ipv4 | undefined {
  return address === NO_IPV4 ? undefined : address;
}

/** The prefix length of a subnet mask. @returns undefined for a mask with holes */
function maskBits(mask: Ipv4 | undefined): number | undefined {
  if (mask === undefined) return undefined;
  const bits = Math.clz32(~ipv4ToNumber(mask) >>> 0);
  const exact = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  return exact === ipv4ToNumber(mask) ? bits : undefined;
}
