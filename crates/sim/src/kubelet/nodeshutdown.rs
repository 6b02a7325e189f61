use super::node::Kubelet;
use crate::world::World;
impl Kubelet {
    pub(crate) fn shut_down(&mut self, _w: &mut World, _on: bool) {}
}
