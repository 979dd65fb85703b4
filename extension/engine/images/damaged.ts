/** What decoders throw: the reason, as the end of "F is damaged: …". */
export class DamagedImage extends Error {
  constructor(reason: string) { super(reason); this.name = 'DamagedImage'; }
}
