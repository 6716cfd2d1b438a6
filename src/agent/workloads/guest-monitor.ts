/** What the monitor of one emulator says of its guest, kept up to date by its events. */
import type { WantedRun } from '../../model/workload/workload.ts';
import {
  endingIn,
  type GuestEnding,
  type GuestState,
  guestStateOf,
  isFullDisk,
  StatusShape,
} from '../../services/qemu/qmp-answers.ts';
import type { QmpClient, QmpEvent } from '../../services/qemu/qmp-client.ts';

/** The monitor of one emulator, from its adoption to its end. */
export class GuestMonitor {
  readonly #client: QmpClient;
  readonly #onChange: () => void;
  #state: GuestState = 'running';
  #ending: GuestEnding | undefined;
  #isDiskFull = false;
  #heeded: WantedRun | undefined;

  /** @param onChange called after each change, and at the end of the connection */
  constructor(client: QmpClient, onChange: () => void) {
    this.#client = client;
    this.#onChange = onChange;
    client.events.subscribe((event) => this.#take(event));
    client.ends.subscribe(onChange);
  }

  get state(): GuestState {
    return this.#state;
  }

  /** How the guest has ended, once it has. */
  get ending(): GuestEnding | undefined {
    return this.#ending;
  }

  /** QEMU has paused the guest, because there was no room for what it writes. */
  get isDiskFull(): boolean {
    return this.#isDiskFull;
  }

  /** The guest has ended, or the emulator is about to. */
  get isOver(): boolean {
    return this.#ending !== undefined || this.#client.isClosed;
  }

  get isClosed(): boolean {
    return this.#client.isClosed;
  }

  /** The wish that was carried out last. */
  get heeded(): WantedRun | undefined {
    return this.#heeded;
  }

  /** Asks for the state: a monitor keeps no event for a client that comes later. @throws MESH_QEMU_SILENT */
  async ask(): Promise<void> {
    const { status } = await this.#client.query('query-status', StatusShape);
    this.#state = guestStateOf(status);
    if (status === 'io-error') this.#isDiskFull = true;
  }

  /** Pauses the guest, or lets it go on. @throws MESH_QEMU_SILENT, MESH_QEMU_REFUSED */
  async heed(wanted: 'running' | 'paused'): Promise<void> {
    const isWaiting = this.#state === 'paused' || this.#state === 'prelaunch';
    if (wanted === 'paused' && this.#state === 'running') await this.#client.execute('stop');
    // A guest that waits for room on the disk goes on when there is some.
    if (wanted === 'running' && isWaiting) await this.#client.execute('cont');
    this.#heeded = wanted;
    await this.ask();
  }

  /** Lets a guest go on that was paused by a full disk. Does so again when the disk is full again. */
  async resume(): Promise<void> {
    this.#isDiskFull = false;
    await this.#client.execute('cont');
    await this.ask();
  }

  /** Presses the power button. Never rejects: an emulator that ends meanwhile does not answer. */
  async powerDown(): Promise<void> {
    await this.#client.execute('system_powerdown').catch(() => undefined);
  }

  close(): void {
    this.#client.close();
  }

  #take(event: QmpEvent): void {
    const ending = endingIn(event);
    // A guest that panics is ended after that: the reason is the first one.
    if (ending !== undefined && ending !== 'rebooted') this.#ending ??= ending;
    if (isFullDisk(event)) this.#isDiskFull = true;
    if (event.event === 'STOP' && this.#state === 'running') this.#state = 'paused';
    if (event.event === 'RESUME') {
      this.#state = 'running';
      this.#isDiskFull = false;
    }
    this.#onChange();
  }
}
