// The commune's villages drawn as plain shapes, metres on a plane, north up: nothing is fetched from elsewhere.

const SVG = "http://www.w3.org/2000/svg";
const DEGREE = 111_195;
// As the program itself decides, bot/core/places.py: a village without an outline reaches this far around its
// middle, and telephones are that wrong.
const REACH = 1000;
const TOLERANCE = 300;
const FINGER = 8;
// The names beside the page's other type, and about how wide a letter of theirs is beside its height.
const NAME = 0.84;
const LETTER = 0.63;

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function corners(village) {
  return village.polygon.length ? village.polygon : village.centre ? [village.centre] : [];
}

function middle(village) {
  if (village.centre) return village.centre;
  const sum = village.polygon.reduce(([a, b], [lat, lon]) => [a + lat, b + lon], [0, 0]);
  return sum.map((value) => value / village.polygon.length);
}

function inside(polygon, [lat, lon]) {
  let found = false;
  let [c, d] = polygon[polygon.length - 1];
  for (const [a, b] of polygon) {
    if (a > lat !== c > lat && lon < b + ((d - b) * (lat - a)) / (c - a)) found = !found;
    [c, d] = [a, b];
  }
  return found;
}

// Metres from the origin to the line between two points of the plane.
function toLine([ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, -(ax * dx + ay * dy) / length)) : 0;
  return Math.hypot(ax + along * dx, ay + along * dy);
}

function pinShape(attributes) {
  const pin = svg("g", { class: "pin", ...attributes });
  pin.append(
    svg("path", { d: "M0 0C-3-7-8-10-8-16a8 8 0 0 1 16 0c0 6-5 9-8 16z" }),
    svg("circle", { cx: 0, cy: -16, r: 3 }),
  );
  return pin;
}

// What lies where. `box` is the whole commune, or null when it gave no place at all.
export class Land {
  constructor(villages) {
    this.villages = villages.filter((village) => corners(village).length);
    this.box = null;
    const all = this.villages.flatMap(corners);
    if (!all.length) return;
    const lats = all.map(([lat]) => lat);
    const lons = all.map(([, lon]) => lon);
    this.lat = (Math.min(...lats) + Math.max(...lats)) / 2;
    this.lon = (Math.min(...lons) + Math.max(...lons)) / 2;
    this.wide = DEGREE * Math.cos((this.lat * Math.PI) / 180);
    const [x, y] = this.flat([Math.max(...lats), Math.min(...lons)]);
    // At least a kilometre across, and a margin to point a little outside.
    const w = Math.max(-2 * x, 1000) * 1.1;
    const h = Math.max(-2 * y, 1000) * 1.1;
    this.box = { x: -w / 2, y: -h / 2, w, h };
  }

  flat([lat, lon]) {
    return [(lon - this.lon) * this.wide, (this.lat - lat) * DEGREE];
  }

  round([x, y]) {
    return [this.lat - y / DEGREE, this.lon + x / this.wide];
  }

  middle(id) {
    const village = this.villages.find((one) => one.id === id);
    return village ? middle(village) : null;
  }

  // By its outline; up to a telephone's error outside all of them, the nearest.
  villageAt(point) {
    const within = this.villages.find(({ polygon }) => polygon.length && inside(polygon, point));
    if (within) return within;
    let [best, nearest] = [TOLERANCE, undefined];
    for (const village of this.villages) {
      const away = this.away(village, point);
      if (away <= best) [best, nearest] = [away, village];
    }
    return nearest;
  }

  away({ polygon, centre }, point) {
    const [x, y] = this.flat(point);
    const seen = (polygon.length ? polygon : [centre]).map((corner) => this.flat(corner)).map(([a, b]) => [a - x, b - y]);
    if (!polygon.length) return Math.max(0, Math.hypot(...seen[0]) - REACH);
    return Math.min(...seen.map((corner, index) => toLine(seen[(index || seen.length) - 1], corner)));
  }

  shapes() {
    return this.villages.filter(({ polygon }) => polygon.length).map((village, index) => {
      const points = village.polygon.map((corner) => this.flat(corner).map((n) => n.toFixed(1)).join(",")).join(" ");
      const tint = (index * 3 + Math.floor(index / 4)) % 4;
      return svg("polygon", { points, class: `land land-${tint}`, "data-village": village.id });
    });
  }

  names() {
    return this.villages.map((village) => {
      const [x, y] = this.flat(middle(village));
      const label = svg("text", { x, y, class: "name" });
      label.textContent = village.name;
      return label;
    });
  }

  // How wide each village is, in metres.
  widths() {
    return this.villages.map(({ polygon }) => {
      const xs = polygon.map((corner) => this.flat(corner)[0]);
      return polygon.length ? Math.max(...xs) - Math.min(...xs) : REACH;
    });
  }

  // A small picture of one place.
  picture(point, size, label) {
    const [x, y] = this.flat(point);
    const picture = svg("svg", {
      viewBox: `${x - size / 2} ${y - size * 0.3} ${size} ${size * 0.6}`, role: "img", "aria-label": label,
    });
    picture.append(...this.shapes(), pinShape({ transform: `translate(${x} ${y}) scale(28)` }));
    return picture;
  }
}

// A map to point on: a tap, arrow keys, a list of villages. `pointed(point, village)` hears of each change,
// `entered()` of the Enter key.
export class Ground {
  constructor(ground, { list, nearer, farther, pointed, entered }) {
    this.ground = ground;
    this.land = new Land([]);
    this.list = list;
    this.pointed = pointed;
    this.entered = entered;
    this.point = null;
    this.view = { x: 0, y: 0, w: 1, h: 1 };
    this.wanted = this.view;
    this.labels = [];
    this.widths = [];
    this.fingers = {};
    this.pin = pinShape({ id: "pin", visibility: "hidden" });
    this.wire(nearer, farther);
  }

  draw(land) {
    this.land = land;
    this.labels = land.names();
    this.widths = land.widths();
    this.ground.replaceChildren(...land.shapes(), ...this.labels, this.pin);
    this.list.replaceChildren(this.list.options[0], ...land.villages.map(({ id, name }) => new Option(name, id)));
  }

  wire(nearer, farther) {
    const { ground } = this;
    ground.addEventListener("pointerdown", (event) => this.down(event));
    ground.addEventListener("pointermove", (event) => this.moved(event));
    ground.addEventListener("pointerup", (event) => this.up(event));
    ground.addEventListener("pointercancel", (event) => this.lift(event));
    ground.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.centre());
    }, { passive: false });
    ground.addEventListener("keydown", (event) => this.key(event));
    nearer.addEventListener("click", () => this.zoom(0.6));
    farther.addEventListener("click", () => this.zoom(1.7));
    this.list.addEventListener("change", () => this.put(this.land.middle(this.list.value)));
    new ResizeObserver(() => ground.clientWidth && this.land.box && this.look(this.wanted)).observe(ground);
  }

  // From the whole commune, with nothing pointed at.
  reset() {
    this.look({ ...this.land.box });
    this.put(null);
  }

  put(point) {
    this.point = point;
    const village = point && this.land.villageAt(point);
    this.list.value = village ? village.id : "";
    for (const land of this.ground.querySelectorAll(".land")) {
      land.classList.toggle("here", Boolean(village) && land.dataset.village === village.id);
    }
    this.placePin();
    this.pointed(point, village);
  }

  // A point that may lie anywhere, with enough of the commune around it to know one's way.
  show(point) {
    const { box } = this.land;
    const [x, y] = this.land.flat(point);
    const known = x > box.x && x < box.x + box.w && y > box.y && y < box.y + box.h;
    const w = known ? Math.min(box.w, 2000) : 2 * Math.max(Math.abs(x), Math.abs(y), box.w) * 1.4;
    this.look(known ? { x: x - w / 2, y: y - w / 2, w, h: w } : { x: -w / 2, y: -w / 2, w, h: w });
    this.put(point);
  }

  look(box) {
    const { ground, view } = this;
    const ratio = ground.clientWidth / Math.max(ground.clientHeight, 1) || 1;
    this.wanted = { ...box };
    Object.assign(view, box);
    // The shape of the picture on the screen, so that a tap is where it looks.
    if (view.w / view.h < ratio) {
      view.x -= (view.h * ratio - view.w) / 2;
      view.w = view.h * ratio;
    } else {
      view.y -= (view.w / ratio - view.h) / 2;
      view.h = view.w / ratio;
    }
    ground.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    this.type = NAME * parseFloat(getComputedStyle(document.documentElement).fontSize);
    ground.style.fontSize = `${this.type * this.pixel()}px`;
    ground.style.setProperty("--pixel", `${this.pixel()}px`);
    this.fitNames();
    this.placePin();
  }

  // Where the names would lie on top of each other, their numbers do; where those would, nothing.
  fitNames() {
    const { villages } = this.land;
    const fits = (text, index) => (String(text).length + 1) * LETTER * this.type * this.pixel() < this.widths[index];
    const tight = villages.filter(({ name }, index) => !fits(name, index)).length;
    const crowded = tight * 5 > villages.length;
    this.labels.forEach((label, index) => {
      const { name, number } = villages[index];
      const short = number && (crowded || !fits(name, index)) ? number : name;
      label.textContent = short === name || fits(short, index) ? short : "";
    });
  }

  pixel() {
    return this.view.w / Math.max(this.ground.clientWidth, 1);
  }

  centre() {
    return [this.view.x + this.view.w / 2, this.view.y + this.view.h / 2];
  }

  placePin() {
    this.pin.setAttribute("visibility", this.point ? "visible" : "hidden");
    if (!this.point) return;
    const [x, y] = this.land.flat(this.point);
    this.pin.setAttribute("transform", `translate(${x} ${y}) scale(${this.pixel() * 1.7})`);
  }

  zoom(factor, about = this.point ? this.land.flat(this.point) : this.centre()) {
    const w = Math.min(Math.max(this.view.w * factor, 150), this.land.box.w * 3);
    const h = (this.view.h * w) / this.view.w;
    this.look({ x: about[0] - w / 2, y: about[1] - h / 2, w, h });
  }

  tapped(event) {
    const area = this.ground.getBoundingClientRect();
    const x = this.view.x + ((event.clientX - area.left) / area.width) * this.view.w;
    const y = this.view.y + ((event.clientY - area.top) / area.height) * this.view.h;
    return [x, y];
  }

  // One finger drags, two pinch; a touch that went nowhere points.
  down(event) {
    if (event.isPrimary) this.fingers = {};
    this.fingers[event.pointerId] = [event.clientX, event.clientY];
    this.ground.setPointerCapture(event.pointerId);
    this.drag = { at: this.between(), apart: this.apart(), from: { ...this.view }, moved: !event.isPrimary };
  }

  moved(event) {
    if (!this.drag || !this.fingers[event.pointerId]) return;
    this.fingers[event.pointerId] = [event.clientX, event.clientY];
    const { at, apart, from } = this.drag;
    const [dx, dy] = this.between().map((value, index) => value - at[index]);
    this.drag.moved = this.drag.moved || Math.hypot(dx, dy) > FINGER;
    if (!this.drag.moved) return;
    const wanted = apart ? apart / Math.max(this.apart(), 1) : 1;
    const w = Math.min(Math.max(from.w * wanted, 150), this.land.box.w * 3);
    const h = (from.h * w) / from.w;
    const scale = w / this.ground.clientWidth;
    this.look({ x: from.x + (from.w - w) / 2 - dx * scale, y: from.y + (from.h - h) / 2 - dy * scale, w, h });
  }

  up(event) {
    if (this.drag && !this.drag.moved) this.put(this.land.round(this.tapped(event)));
    this.lift(event);
  }

  lift(event) {
    delete this.fingers[event.pointerId];
    const rest = Object.keys(this.fingers).length;
    this.drag = rest ? { at: this.between(), apart: this.apart(), from: { ...this.view }, moved: true } : null;
  }

  between() {
    const all = Object.values(this.fingers);
    return [0, 1].map((axis) => all.reduce((sum, finger) => sum + finger[axis], 0) / all.length);
  }

  apart() {
    const [one, two] = Object.values(this.fingers);
    return two ? Math.hypot(one[0] - two[0], one[1] - two[1]) : 0;
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter" && this.point) this.entered();
    if (event.key === "+" || event.key === "=") this.zoom(0.6);
    if (event.key === "-") this.zoom(1.7);
    if (!step) return;
    event.preventDefault();
    const [x, y] = this.point ? this.land.flat(this.point) : this.centre();
    this.put(this.land.round([x + (step[0] * this.view.w) / 60, y + (step[1] * this.view.w) / 60]));
  }
}
