"""The screen: pages and components over the `swirl` library. It never touches a tensor."""
