// Walking over the points of the map with the arrow keys.
export const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The index of the nearest place in a direction, where what lies aside counts twice; -1 when there is none.
export const nearestPlace = (places, [x, y], [dx, dy]) => {
  let best = -1, least = Infinity;
  places.forEach(([px, py], index) => {
    const along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (along > 0.5 && along + 2 * aside < least) { best = index; least = along + 2 * aside; }
  });
  return best;
};
