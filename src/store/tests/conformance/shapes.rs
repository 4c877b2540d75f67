//! Shapes of what LDAP apps ask.

use fedbridge_contract::directory::Shape;
use fedbridge_contract::ids::AppId;
use fedbridge_hub::ports::{SeenShape, ShapeStore as _, StoredShape};
use fedbridge_keys::OpensslRng;
use fedbridge_store::Store;

use crate::contention::{MANY, race, two};
use crate::support::made::{compare, seen};
use crate::support::{Database, World, at};

pub async fn shapes_add_up(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "other").await);
    let system = store.system();
    let shapes = async |world: &World, app| system.shapes(world.tenant, app).await.unwrap();
    system.note_shapes(&[]).await.unwrap();
    let (mail, uid) = (compare("mail"), compare("uid"));
    let batch = [seen(&world, mail.clone(), 2, (10, 20)), seen(&world, uid.clone(), 3, (5, 6))];
    system.note_shapes(&batch).await.unwrap();
    // From another node, whose clock says otherwise, and of an app that is gone: the rest of the batch stays.
    let gone = SeenShape { app: AppId::random(&OpensslRng), ..seen(&world, uid.clone(), 9, (1, 1)) };
    system.note_shapes(&[gone.clone(), seen(&world, mail.clone(), 4, (8, 12))]).await.unwrap();
    system.note_shapes(&[seen(&world, mail.clone(), 1, (11, 30))]).await.unwrap();
    let stored = |shape: &Shape, count, (first, last)| StoredShape {
        shape: shape.clone(),
        count,
        first: at(first),
        last: at(last),
    };
    let expected = [stored(&mail, 7, (8, 30)), stored(&uid, 3, (5, 6))];
    assert_eq!(shapes(&world, world.app).await, expected, "the most frequent first");
    assert_eq!(shapes(&world, gone.app).await, []);
    assert_eq!((shapes(&other, world.app).await, shapes(&other, other.app).await), (vec![], vec![]));
    let across = SeenShape { tenant: other.tenant, ..seen(&world, uid, 1, (1, 1)) };
    system.note_shapes(&[across]).await.unwrap();
    assert_eq!(shapes(&world, world.app).await, expected);
    assert_eq!(database.count("ldap_shapes").await, 2);
}

pub async fn no_shape_is_lost(database: Database) {
    let (world, stores) = two(&database).await;
    let new = seen(&world, compare("uid"), 1, (1, 1));
    race(&stores, move |store: Store| {
        let new = new.clone();
        async move { store.system().note_shapes(&[new]).await.unwrap() }
    })
    .await;
    let found = stores[1].system().shapes(world.tenant, world.app).await.unwrap();
    assert_eq!(found.iter().map(|it| it.count).collect::<Vec<_>>(), [u64::try_from(MANY).unwrap()]);
}
