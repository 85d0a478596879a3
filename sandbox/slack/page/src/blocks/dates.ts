const DAY = 86_400_000;

type Parts = { year: number; month: number; day: number; hour: number; minute: number; second: number };

function partsIn(zone: string, at: Date): Parts {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const found = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return found as unknown as Parts;
}

const asUtc = (parts: Parts): number =>
  Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);

/** Days since 1970 in a zone: two moments of one day there have the same number. */
export const dayNumber = (zone: string, at: Date): number => Math.floor(asUtc(partsIn(zone, at)) / DAY);

const pad = (number: number) => String(number).padStart(2, "0");

function ordinal(day: number): string {
  const tens = day % 100;
  if (tens >= 11 && tens <= 13) return `${day}th`;
  return `${day}${["th", "st", "nd", "rd"][day % 10] ?? "th"}`;
}

const named = (zone: string, at: Date, options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat("en-US", { timeZone: zone, ...options }).format(at);

/** As Slack writes it by default: `6:39 AM`, with a plain space. */
export const clock = (zone: string, at: Date, seconds = false): string =>
  named(zone, at, { hour: "numeric", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) }).replace(
    /\s/g,
    " ",
  );

const HALF_YEAR = 183 * DAY;

function longDate(zone: string, at: Date, weekday: boolean): string {
  const { day, year } = partsIn(zone, at);
  const month = named(zone, at, { month: "long" });
  const start = weekday ? `${named(zone, at, { weekday: "long" })}, ` : "";
  return `${start}${month} ${ordinal(day)}${isNear(at) ? "" : `, ${year}`}`;
}

const isNear = (at: Date) => Math.abs(at.getTime() - Date.now()) < HALF_YEAR;

const shortDate = (zone: string, at: Date) =>
  named(zone, at, { month: "short", day: "numeric", ...(isNear(at) ? {} : { year: "numeric" }) });

function relativeDay(zone: string, at: Date): string | undefined {
  const days = dayNumber(zone, at) - dayNumber(zone, new Date());
  return { "-1": "yesterday", "0": "today", "1": "tomorrow" }[String(days)];
}

function ago(at: Date): string {
  const minutes = Math.round((at.getTime() - Date.now()) / 60_000);
  const relative = new Intl.RelativeTimeFormat("en-US", { numeric: "auto" });
  if (Math.abs(minutes) < 60) return relative.format(minutes, "minute");
  if (Math.abs(minutes) < 60 * 24) return relative.format(Math.round(minutes / 60), "hour");
  return relative.format(Math.round(minutes / (60 * 24)), "day");
}

const TOKENS: Record<string, (zone: string, at: Date) => string> = {
  date_num: (zone, at) => {
    const { year, month, day } = partsIn(zone, at);
    return `${year}-${pad(month)}-${pad(day)}`;
  },
  date_slash: (zone, at) => {
    const { year, month, day } = partsIn(zone, at);
    return `${pad(month)}/${pad(day)}/${year}`;
  },
  date: (zone, at) => longDate(zone, at, false),
  date_long: (zone, at) => longDate(zone, at, true),
  date_long_full: (zone, at) => longDate(zone, at, true),
  date_short: shortDate,
  date_pretty: (zone, at) => relativeDay(zone, at) ?? longDate(zone, at, false),
  date_long_pretty: (zone, at) => relativeDay(zone, at) ?? longDate(zone, at, true),
  date_short_pretty: (zone, at) => relativeDay(zone, at) ?? shortDate(zone, at),
  day_divider_pretty: (zone, at) => relativeDay(zone, at) ?? longDate(zone, at, true),
  time: (zone, at) => clock(zone, at),
  time_secs: (zone, at) => clock(zone, at, true),
  ago: (_zone, at) => ago(at),
};

/** Slack's `<!date^…^format|fallback>`, for a reader in `zone`. A format without a known token gives the fallback. */
export function formatDate(timestamp: number, format: string, fallback: string, zone: string): string {
  const at = new Date(timestamp * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  let known = false;
  const text = format.replace(/\{(\w+)\}/g, (whole, token: string) => {
    const write = TOKENS[token];
    if (!write) return whole;
    known = true;
    return write(zone, at);
  });
  return known ? text : fallback;
}

export const fullDate = (timestamp: number, zone: string): string =>
  `${named(zone, new Date(timestamp * 1000), { dateStyle: "full", timeStyle: "short" }).replace(/\s/g, " ")} (${zone})`;

/** The moment of a wall clock reading ("2026-11-23T10:00") in a zone, in seconds; nothing when it is no date. */
export function momentOf(wallClock: string, zone: string): number | null {
  const wanted = Date.parse(`${wallClock}Z`);
  if (Number.isNaN(wanted)) return null;
  let moment = wanted;
  // Twice: the offset at the first guess may be the one from across a daylight saving change.
  for (let turn = 0; turn < 2; turn += 1) moment = wanted - (asUtc(partsIn(zone, new Date(moment))) - moment);
  return Math.floor(moment / 1000);
}

export function wallClockOf(timestamp: number, zone: string): string {
  const { year, month, day, hour, minute } = partsIn(zone, new Date(timestamp * 1000));
  return `${year}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}`;
}
